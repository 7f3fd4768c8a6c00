// The launcher behind `npm start`, `npm test` and their like: `node tools/run.mjs [--build] <script> [arguments]`.
// It runs on any Node >= 18 without a dependency, so both work straight after `git clone`: it installs when
// node_modules is stale, builds when asked to and dist is stale, then starts the real script through npm, whose
// PATH begins with node_modules/.bin, where the repository's own Node lies.
import { spawn } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { constants } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')
const installed = path.join(root, 'node_modules/.package-lock.json')
const built = path.join(root, 'dist/.build/done')

const args = process.argv.slice(2)
const wantsBuild = args[0] === '--build'
if (wantsBuild) args.shift()
const [script, ...rest] = args
if (script === undefined) {
  console.error('usage: node tools/run.mjs [--build] <script> [arguments]')
  process.exit(2)
}

if (mtime(installed) < mtime(path.join(root, 'package-lock.json'))) {
  console.error('installing the dependencies ...')
  await npm('ci', '--no-audit', '--no-fund', '--loglevel=error')
}
if (wantsBuild && mtime(built) < newest(path.join(root, 'src'))) {
  console.error('building ...')
  await npm('run', '-s', 'build')
}
await npm('run', '-s', script, '--', ...rest)

/**
 * Runs npm to its end, and ends this process when it failed. npm and the shells between hand on no signal, so npm
 * leads a process group of its own here, which gets every signal as a whole, also when whoever started us is gone.
 */
function npm(...npmArgs) {
  const windows = process.platform === 'win32'
  const child = spawn('npm', npmArgs, { cwd: root, stdio: 'inherit', shell: windows, detached: !windows })
  const forward = signal => {
    try {
      if (windows || child.pid === undefined) child.kill(signal)
      else process.kill(-child.pid, signal)
    } catch {
      // It has ended by itself meanwhile.
    }
  }
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP']
  for (const signal of signals) process.on(signal, forward)
  const parent = process.ppid
  const watch = setInterval(() => {
    if (process.ppid !== parent) forward('SIGTERM')
  }, 500)

  return new Promise(resolve => {
    child.on('error', error => {
      console.error(`cannot start npm: ${error.message}`)
      process.exit(1)
    })
    child.on('exit', (code, signal) => {
      clearInterval(watch)
      for (const name of signals) process.off(name, forward)
      if (code === 0) resolve()
      else process.exit(code ?? 128 + (constants.signals[signal] ?? 0))
    })
  })
}

/** When a file was last written, in ms; 0 when there is none. */
function mtime(file) {
  return existsSync(file) ? statSync(file).mtimeMs : 0
}

function newest(folder) {
  let latest = statSync(folder).mtimeMs
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const file = path.join(folder, entry.name)
    latest = Math.max(latest, entry.isDirectory() ? newest(file) : mtime(file))
  }
  return latest
}
