// Programs that no npm package carries come from the system's own packages.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { root } from './root.mjs'

/**
 * Returns at once where every file is there already; root of a Debian gets the packages installed, everybody else is
 * told what to install.
 * @param {string} what for the message
 * @param {readonly string[]} files by which one sees that it is there
 * @param {readonly string[]} packages that bring them
 */
export function installed(what, files, packages) {
  const missing = () => files.filter(file => !existsSync(file))
  if (missing().length === 0) return
  if (process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')) {
    console.error(`installing ${what} (${packages.join(', ')}) ...`)
    // a fresh image has no lists of packages
    apt(['update', '-qq'])
    apt(['install', '-qq', '-y', '--no-install-recommends', ...packages])
  }
  if (missing().length === 0) return
  throw new Error(
    `${what} is needed, but there is no ${missing().join(', ')}. On Debian, as root: apt-get install ${packages.join(' ')}`,
  )
}

/**
 * A program that the package of this name has at `file`. Where the system has it not, the package is unpacked beside the
 * dependencies and not installed: a server that is installed is also started.
 * @param {string} name
 * @param {string} file its absolute path in the package
 * @returns {string} where it is
 */
export function unpacked(name, file) {
  const place = path.join(root, 'node_modules/.cache/syncline', name)
  const [found] = [file, path.join(place, file)].filter(one => existsSync(one))
  if (found !== undefined) return found
  const folder = mkdtempSync(path.join(tmpdir(), 'syncline-apt-'))
  console.error(`fetching ${name} ...`)
  const fetched = () => apt(['download', '-qq', '-o', 'APT::Sandbox::User=root', name], folder) === 0
  // a fresh image has no lists of packages
  if (fetched() || (apt(['update', '-qq']) === 0 && fetched())) {
    mkdirSync(place, { recursive: true })
    const [deb] = readdirSync(folder)
    spawnSync('dpkg-deb', ['-x', path.join(folder, deb), place], { stdio: ['ignore', 'ignore', 'inherit'] })
  }
  rmSync(folder, { recursive: true })
  if (existsSync(path.join(place, file))) return path.join(place, file)
  throw new Error(`${name} is needed, but there is no ${file}. On Debian, as root: apt-get install ${name}`)
}

/** What goes wrong it says itself, and then the files are still missing. */
function apt(args, cwd = root) {
  const { status } = spawnSync('apt-get', args, {
    cwd,
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  return status
}
