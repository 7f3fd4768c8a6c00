// The seeded world (docs: testing). Each test runs 250 histories with faults of every kind; its oracles are the rules
// [L3] [Q1] [Q3] [Q4] [Q5] [R1] [R2] [R7] [S3] [S7]. A failing seed is replayed alone by `SEED=123 vitest run test/world`
// (and `STORE=sqlite`, `SCOPES=true`, `HABITS=true`), and becomes a named test below when it is mended.
import { describe, expect, test } from 'vitest'
import { checkWorld, memoryWorld, runWorld, seededRandom, sqliteWorld } from 'syncline/testing'
import type { WorldOptions } from 'syncline/testing'

const stores = { memory: memoryWorld, sqlite: sqliteWorld } as const
const chunk = 250
const chunks = 4
const { SEED, STORE, SCOPES, HABITS } = process.env

async function run(
  store: keyof typeof stores,
  from: number,
  count: number,
  more: Omit<WorldOptions, 'seed' | 'database'> = {},
): Promise<void> {
  for (let seed = from; seed < from + count; seed++)
    await checkWorld({ seed, database: stores[store], ...more })
}

/** One history, told as it happens. */
function replay(seed: number): void {
  test(`seed ${seed}`, { timeout: 60_000 }, async () => {
    const database = STORE === 'sqlite' ? sqliteWorld : memoryWorld
    const chosen = {
      ...(SCOPES !== undefined && { scopes: SCOPES === 'true' }),
      ...(HABITS !== undefined && { habits: HABITS === 'true' }),
    }
    await checkWorld({ seed, database, ...chosen, trace: line => console.log(line) })
  })
}

function everySeed(): void {
  describe('[R1] [S3] [S7] every replica becomes the table, whatever happens on the way', () => {
    for (const store of ['memory', 'sqlite'] as const) {
      for (let i = 0; i < chunks; i++) {
        const from = i * chunk + 1
        test(`${store}, seeds ${from} to ${from + chunk - 1}`, { timeout: 120_000 }, () =>
          run(store, from, chunk),
        )
      }
    }
  })
  test('a seed is a history: twice the same', sameTwice)
  for (const [store, seed, found, wide = false] of once)
    test(`${store} seed ${seed}: ${found}`, async () => {
      await run(store, seed, 1, { ...kindOf(seed), wide, scopes: false })
    })
  for (const [store, seed, found] of onceInParts)
    test(`${store} seed ${seed}, parts of tables: ${found}`, () =>
      run(store, seed, 1, { ...kindOf(seed), scopes: true }))
  for (const [store, seed, found] of onceWithHabits)
    test(`${store} seed ${seed}, habits: ${found}`, () => run(store, seed, 1, { habits: true }))
  test('[S13] worlds of wide rows are told what changed of them, live and caught up', tellsPatches)
}

/** What a world was when its seed alone said so, and the same lot said all of it. */
function kindOf(seed: number): Pick<WorldOptions, 'wide' | 'views' | 'scarce' | 'habits'> {
  const lot = seededRandom(seed).next()
  return { wide: lot < 0.5, views: lot < 0.25, scarce: lot < 0.25, habits: false }
}

async function sameTwice(): Promise<void> {
  for (const database of [memoryWorld, sqliteWorld]) {
    const traces = [[], []] as string[][]
    for (const trace of traces) await runWorld({ seed: 17, database, trace: line => trace.push(line) })
    expect(traces[0]?.length).toBeGreaterThan(200)
    // the log of SQLite names itself and its entries by its own chance
    const plain = traces.map(trace => trace.map(line => line.replaceAll(/"(epoch|check)":("?)[\w-]+\2/g, '')))
    expect(plain[1]).toEqual(plain[0])
  }
}

async function tellsPatches(): Promise<void> {
  for (const database of [memoryWorld, sqliteWorld]) {
    let patches = 0
    for (let seed = 1; seed <= 10; seed++)
      patches += (await checkWorld({ seed, database, wide: true })).patches
    expect(patches).toBeGreaterThan(50)
    expect((await checkWorld({ seed: 1, database, wide: false })).patches).toBe(0)
  }
}

type Once = readonly [store: keyof typeof stores, seed: number, found: string, wide?: boolean]

// Seeds that failed once, with what they found.
const once: readonly Once[] = [
  [
    'memory',
    23,
    '[Q2] a mutation refused for a while was overtaken by the frame behind it, and its repetition taken for a duplicate',
  ],
  ['memory', 20, '[Q5] the same: edits lost without a word'],
  ['memory', 21, '[R2] the overlay of a younger edit went before that of an older one of the same row'],
  ['sqlite', 9, '[L3] a row under the id of a deleted one was stamped below the delete'],
  ['sqlite', 284, "[R2] a roll-back in the event that renamed its row was announced as the server's change"],
  ['sqlite', 2_006_685, 'a tab that woke up stored what it had renamed over a dead letter'],
  [
    'memory',
    125,
    '[R12] a tab that wrote before it heard that the disk was gone left to others what none of them had any more',
  ],
  [
    'memory',
    40_128,
    '[R12] a page that slept while its database was replaced put its mark over that of the new one',
  ],
  ['memory', 9_001_928, '[R12] a disk that was taken away while a page opened it was lost without a word'],
  ['memory', 9_002_967, '[R12] the same'],
  [
    'sqlite',
    9_000_885,
    '[R12] a tab that had slept took back from the mark what others had written meanwhile',
  ],
  ['memory', 12_003_577, '[R12] two tabs that wrote at once marked one edit'],
  [
    'memory',
    21_001_388,
    '[S13] after a heal a row of a lost branch, at the place that the row has on this one, was patched',
    true,
  ],
  ['sqlite', 21_000_803, '[S13] the same', true],
]

// The same where tabs want parts of tables, and change their minds.
const onceInParts: readonly (readonly [store: keyof typeof stores, seed: number, found: string])[] = [
  ['memory', 37, '[V10] a scope that a following tab asked for again was never ready'],
  ['memory', 687, '[V10] what was on its way of one scope was taken for the answer to another'],
  ['memory', 74, '[R2] under a younger edit of a row that was let go the older one did not show as stored'],
  [
    'memory',
    345,
    '[R2] a tab that woke up showed its edits rolled back where whoever leads had let the rows go',
  ],
  ['memory', 42_831, '[T6] a tab that woke up put what came of fewer rows on all that it had'],
]

// The same where pages do all that their clients can do.
const onceWithHabits: readonly (readonly [store: keyof typeof stores, seed: number, found: string])[] = [
  ['memory', 1_048, '[A8] a tab that was about to lead brought back the client that was just cleared'],
]

if (SEED === undefined) everySeed()
else replay(Number(SEED))
