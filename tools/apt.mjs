// Browsers that no npm package carries come from the system's own packages.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'

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
    apt('update', '-qq')
    apt('install', '-qq', '-y', '--no-install-recommends', ...packages)
  }
  if (missing().length === 0) return
  throw new Error(
    `${what} is needed, but there is no ${missing().join(', ')}. On Debian, as root: apt-get install ${packages.join(' ')}`,
  )
}

/** What goes wrong it says itself, and then the files are still missing. */
function apt(...args) {
  spawnSync('apt-get', args, {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
}
