// `npm run bench` runs every question; `npm run bench -- m1b m2` those named. `--quick`: small and rough, to see that it
// runs. `--runs 7`: how often each variant runs (5). Ends with 1 when a result was wrong, or with --strict on a miss.
import { readdirSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { rowsPrinted } from './measure.mjs'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: 'boolean' }, runs: { type: 'string' }, strict: { type: 'boolean' } },
})
const quick = values.quick === true
const runs = Number(values.runs ?? (quick ? 1 : 5))
const folders = readdirSync(import.meta.dirname).filter(name => /^[mp]\d\d?[a-z]?-/.test(name))
const wanted = folders.filter(
  folder => positionals.length === 0 || positionals.some(name => folder.startsWith(name)),
)
if (wanted.length === 0) {
  console.error(`there are: ${folders.join(', ')}`)
  process.exit(2)
}
for (const folder of wanted) {
  const { bench } = await import(`./${folder}/bench.mjs`)
  try {
    await bench({ runs, quick })
  } catch (error) {
    console.error(`${folder}: ${error.message}`)
    process.exitCode = 1
  }
}
const missed = rowsPrinted.filter(row => row.ok === false)
if (missed.length > 0)
  console.log(`${missed.length} of ${rowsPrinted.filter(row => row.ok !== null).length} targets missed`)
if (missed.length > 0 && values.strict === true) process.exitCode = 1
process.exit()
