import { checkWorld, memoryWorld, sqliteWorld } from 'syncline/testing'
const [store, from, to, trace] = process.argv.slice(2)
let bad=0
for (let seed=Number(from); seed<=Number(to); seed++) {
  try { await checkWorld({ seed, database: store==='sqlite'?sqliteWorld:memoryWorld, ...(trace?{trace:l=>console.log(l)}:{}) }) }
  catch (e) { bad++; console.log(String(e.message).slice(0,600)); if (bad>8) break }
}
console.log('done', bad)
