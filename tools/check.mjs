// `npm run test:all`: every check, cheapest first; the first that fails ends the run with its exit code.
// `npm run test:all -- lint unit` runs only those named.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { root } from './root.mjs'

const steps = [
  { name: 'format', title: 'Format (oxfmt)', script: 'check:format', hint: 'npm run format' },
  { name: 'walls', title: 'Walls between rooms, reasons for suppressions', script: 'walls' },
  { name: 'lockfile', title: 'Lock file', script: 'check:lockfile' },
  { name: 'build', title: 'Build', script: 'build' },
  // tests import the package by its name, so their types are those of the build
  { name: 'lint', title: 'Lint (oxlint, type-aware)', script: 'lint' },
  { name: 'typecheck', title: 'Types of the tests', script: 'typecheck' },
  { name: 'unit', title: 'Unit tests', script: 'test:unit' },
  { name: 'integration', title: 'Integration tests (real processes)', script: 'test:integration' },
  { name: 'browser', title: 'Browser tests (real Chromium)', script: 'test:browser', needs: browserTests },
  { name: 'knip', title: 'Nothing unused (knip)', script: 'check:knip' },
  { name: 'publint', title: 'Package (publint)', script: 'check:publint' },
  { name: 'attw', title: 'Types of the package (attw)', script: 'check:attw' },
  { name: 'size', title: 'Size of the browser scripts', script: 'check:size', needs: browserScripts },
  { name: 'pack', title: 'The packed package in empty projects', script: 'test:pack' },
]

const wanted = process.argv.slice(2)
const unknown = wanted.filter(name => !steps.some(step => step.name === name))
if (unknown.length > 0) {
  console.error(`unknown: ${unknown.join(', ')}. There are: ${steps.map(step => step.name).join(', ')}`)
  process.exit(2)
}

const times = []
for (const step of steps) {
  if (wanted.length > 0 && !wanted.includes(step.name)) continue
  const missing = step.needs?.()
  if (missing) {
    console.log(`\n=== ${step.title}: skipped, ${missing}`)
    continue
  }
  run(step)
}
console.log(`\nAll checks passed.\n${times.join('\n')}`)

function run(step) {
  console.log(`\n=== ${step.title}  [npm run ${step.script}]`)
  const start = performance.now()
  const { status } = spawnSync('npm', ['run', '-s', step.script], {
    cwd: root,
    stdio: 'inherit',
    shell: process.platform === 'win32',
  })
  const seconds = ((performance.now() - start) / 1000).toFixed(1)
  if (status === 0) {
    times.push(`${seconds.padStart(7)} s  ${step.title}`)
    return
  }
  console.error(`\nFAILED after ${seconds} s: ${step.title}. Alone: npm run ${step.script}`)
  if (step.hint) console.error(`To repair: ${step.hint}`)
  process.exit(status ?? 1)
}

/** Why the step cannot run, or nothing. */
function browserTests() {
  const folder = path.join(root, 'test/browser')
  const specs = existsSync(folder) ? readdirSync(folder, { recursive: true }) : []
  return specs.some(file => file.endsWith('.spec.ts')) ? undefined : 'there are no browser tests yet'
}

function browserScripts() {
  const entry = path.join(root, 'src/faces/entry-rhtmx-sync.ts')
  return existsSync(entry) ? undefined : 'there are no browser scripts yet'
}
