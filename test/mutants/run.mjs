// Applies each named mutant to a copy of the sources and looks for a test that notices.
//   node test/mutants/run.mjs            all of them
//   node test/mutants/run.mjs D4 Q3      those whose name begins so
// Prints who was killed by what; exits 1 where one survived. Not a part of `npm test`: it takes a quarter of an hour.
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { mutants } from './mutants.mjs'

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..')
const seeds = { memory: Number(process.env.SEEDS ?? 400), sqlite: Number(process.env.SEEDS ?? 250) }
const wanted = process.argv.slice(2)
// what the seeded world would notice without any other test
const worldOnly = process.env.ONLY === 'world'
const copy = mkdtempSync(path.join(tmpdir(), 'syncline-mutants-'))

for (const name of [
  'src',
  'package.json',
  'vitest.config.ts',
  'tsconfig.base.json',
  'tsconfig.json',
  'tsconfig.test.json',
])
  cpSync(path.join(root, name), path.join(copy, name), { recursive: true })
symlinkSync(path.join(root, 'node_modules'), path.join(copy, 'node_modules'))
writeFileSync(
  path.join(copy, 'world.mjs'),
  `import { checkWorld } from './src/testing/world.ts'
import { memoryWorld } from './src/testing/world-database.ts'
import { sqliteWorld } from './src/testing/world-sqlite.ts'
const [store, count] = process.argv.slice(2)
for (let seed = 1; seed <= Number(count); seed++) await checkWorld({ seed, database: store === 'sqlite' ? sqliteWorld : memoryWorld })
`,
)

const control = [...new Set(mutants.flatMap(mutant => mutant.unit))]
const broken =
  fails('node_modules/vitest/vitest.mjs', ['run', '--project', 'unit', ...control]) ||
  fails('world.mjs', ['memory', '20']) ||
  fails('world.mjs', ['sqlite', '20'])
if (broken) {
  console.error(`without any mutant the tests fail already:\n${broken.slice(-3000)}`)
  process.exit(2)
}

const survivors = []
for (const mutant of mutants) {
  if (wanted.length > 0 && !wanted.some(prefix => mutant.name.startsWith(prefix))) continue
  const killer = trial(mutant)
  if (killer === null) survivors.push(mutant.name)
  console.log(
    `${killer === null ? 'SURVIVED' : 'killed  '}  ${mutant.name}${killer === null ? '' : `  (${killer})`}`,
  )
}
rmSync(copy, { recursive: true, force: true })
if (survivors.length > 0) {
  console.error(`\n${survivors.length} survived`)
  process.exit(1)
}

/** What noticed the mutant; null: nothing did. */
function trial({ file, find, replace, unit, world }) {
  const target = path.join(copy, file)
  const text = readFileSync(target, 'utf8')
  const places = text.split(find).length - 1
  if (places !== 1) {
    console.error(`${file}: '${find.slice(0, 60)}' occurs ${places} times`)
    return null
  }
  writeFileSync(
    target,
    text.replace(find, () => replace),
  )
  try {
    if (
      unit.length > 0 &&
      !worldOnly &&
      fails('node_modules/vitest/vitest.mjs', ['run', '--project', 'unit', '--bail', '1', ...unit])
    )
      return 'unit tests'
    const failed = fails('world.mjs', [world, String(seeds[world])])
    return failed ? `world, ${/seed \d+/.exec(failed)?.[0] ?? failed.slice(0, 60).trim()}` : null
  } finally {
    writeFileSync(target, text)
  }
}

/** Its output where the script failed or hung; empty where it went well. */
function fails(script, args) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [path.join(copy, script), ...args], {
    cwd: copy,
    encoding: 'utf8',
    timeout: 240_000,
  })
  return status === 0 ? '' : `${stderr}${stdout}` || 'no answer in time'
}
