// A hundred thousand histories of the seeded world, half on each store. `SEEDS=1000 FROM=5000000 npm run soak` for others.
import { test } from 'vitest'
import { checkWorld, memoryWorld, sqliteWorld } from 'syncline/testing'

const seeds = Number(process.env['SEEDS'] ?? 100_000)
const from = Number(process.env['FROM'] ?? 1_000_000)
const stores = { memory: memoryWorld, sqlite: sqliteWorld } as const

for (const [name, database] of Object.entries(stores)) {
  test(`[R1] [Q3] ${seeds / 2} worlds on ${name}, from seed ${from}`, async () => {
    const failures: string[] = []
    for (let seed = from; seed < from + seeds / 2 && failures.length < 20; seed++) {
      await checkWorld({ seed, database }).catch((error: unknown) => failures.push(String(error)))
    }
    if (failures.length > 0) throw new Error(failures.join('\n'))
  })
}
