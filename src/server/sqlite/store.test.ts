// The store among other processes, locks, full disks, old entries and restored backups.
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync } from 'node:fs'
import { afterEach, expect, test } from 'vitest'
import { seededRandom } from '../../testing/random.ts'
import { virtualTime } from '../../testing/time.ts'
import { nodeEnv } from '../env.ts'
import type { ServerEnv } from '../env.ts'
import type { ServerStore } from '../store.ts'
import { sqliteStore } from './index.ts'
import {
  alice,
  deciding,
  drivers,
  entity,
  freshPlace,
  mutation,
  openHandle,
  openStore,
  push,
  Replica,
} from './testkit.test.ts'
import type { App, DriverName } from './testkit.test.ts'

const closing: (() => Promise<void> | void)[] = []

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

interface World {
  readonly path: string
  readonly app: App
  readonly store: ServerStore
}

const schema = "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT, pad TEXT); INSERT INTO t(v) VALUES('a'), ('b')"

async function world(
  env: ServerEnv = nodeEnv(),
  driver: DriverName = 'node:sqlite',
  ddl = schema,
): Promise<World> {
  const place = freshPlace()
  closing.push(() => place.dispose())
  const app = openHandle(driver, place.path)
  closing.push(() => app.close())
  app.exec(ddl)
  const store = await openStore(app, ['t'], env)
  closing.push(() => store.close())
  return { path: place.path, app, store }
}

/** Time passes only when somebody waits for it, and then at once. */
function hastyEnv(): ServerEnv {
  let now = Date.UTC(2026, 0, 1)
  const real = nodeEnv()
  return {
    ...real,
    now: () => now,
    after(ms, run) {
      // the polls of the watcher would race ahead of everything else
      if (ms >= 100) return real.after(ms, run)
      return real.soon(() => {
        now += ms
        run()
      })
    },
  }
}

test.each(drivers)(
  '[C11] a writer that holds the lock stops neither reading nor the event loop, and accept gives up in time: %s',
  async driver => {
    const env = hastyEnv()
    const { app, store } = await world(env, driver)
    app.exec("BEGIN IMMEDIATE; UPDATE t SET v = 'uncommitted'")
    const before = env.now()
    const pushed = push(
      store,
      alice,
      mutation(1, { entity: 't', id: '1', action: 'update', values: { v: 'x' } }),
    )
    await expect(pushed).rejects.toMatchObject({ code: 'DATABASE_BUSY' })
    expect(env.now() - before).toBeGreaterThanOrEqual(5_000)
    expect(await store.fold()).toBe(false)
    expect(
      (await store.snapshot({ entity: 't', after: null, limit: 10, form: 'values' })).rows.map(
        row => row.json,
      ),
    ).toEqual(['1,"a",null', '2,"b",null'])
    app.exec('COMMIT')
    expect(
      await push(store, alice, mutation(1, { entity: 't', id: '1', action: 'update', values: { v: 'x' } })),
    ).toMatchObject([{ status: 'applied' }])
  },
)

test.each(drivers)(
  '[C11] a transaction of the application that has only read yet is waited for, and then writes: %s',
  async driver => {
    const { app, store } = await world(nodeEnv(), driver)
    app.exec('BEGIN')
    app.prepare('SELECT v FROM t').all()
    let isDone = false
    const write = { entity: 't', id: '1', action: 'update', values: { v: 'x' } } as const
    const pushed = push(store, alice, mutation(1, write)).finally(() => (isDone = true))
    // so long that it would have been written otherwise
    for (let turn = 0; turn < 100; turn++) await new Promise(setImmediate)
    expect(isDone).toBe(false)
    app.exec("UPDATE t SET v = 'ours' WHERE id = 2; COMMIT")
    expect(await pushed).toMatchObject([{ status: 'applied' }])
    expect(app.prepare('SELECT v FROM t ORDER BY id').all()).toEqual([{ v: 'x' }, { v: 'ours' }])
  },
)

test.each(drivers)(
  'an application that has closed its own handle is written for all the same: %s',
  async driver => {
    const place = freshPlace()
    closing.push(() => place.dispose())
    const app = openHandle(driver, place.path)
    app.exec(schema)
    const store = await openStore(app, ['t'], nodeEnv())
    closing.push(() => store.close())
    app.close()
    const write = { entity: 't', id: '1', action: 'update', values: { v: 'x' } } as const
    expect(await push(store, alice, mutation(1, write))).toMatchObject([{ status: 'applied' }])
  },
)

test('[C11] accepts that wait for the lock keep their order', async () => {
  const { app, store } = await world()
  app.exec('BEGIN IMMEDIATE')
  const pushes = [1, 2, 3, 4].map(n =>
    push(store, alice, mutation(n, { entity: 't', id: '1', action: 'update', values: { v: `v${n}` } })),
  )
  setTimeout(() => app.exec('COMMIT'), 30)
  expect((await Promise.all(pushes)).map(([result]) => result?.status)).toEqual([
    'applied',
    'applied',
    'applied',
    'applied',
  ])
  expect(app.prepare('SELECT v FROM t WHERE id = 1').get()).toEqual({ v: 'v4' })
})

test('[C11] a full database is told apart, and nothing is stored', async () => {
  const place = freshPlace()
  closing.push(() => place.dispose())
  const app = openHandle('node:sqlite', place.path)
  closing.push(() => app.close())
  app.exec(schema)
  const store = sqliteStore(app, {
    env: nodeEnv(),
    configure: handle => void handle.exec('PRAGMA max_page_count = 60'),
  })
  closing.push(() => store.close())
  await store.open([entity('t')])
  const big = mutation(1, { entity: 't', id: '1', action: 'update', values: { v: 'x'.repeat(500_000) } })
  await expect(push(store, alice, big)).rejects.toMatchObject({ code: 'DATABASE_FULL' })
  expect(app.prepare('SELECT v FROM t WHERE id = 1').get()).toEqual({ v: 'a' })
  expect(
    await push(store, alice, mutation(1, { entity: 't', id: '1', action: 'update', values: { v: 'small' } })),
  ).toMatchObject([{ status: 'applied' }])
})

test('[C1] [L1] other processes write, roll back and are killed; nothing is missed and nothing invented', async () => {
  const { app, path, store } = await world()
  const script = `
    import { DatabaseSync } from 'node:sqlite'
    const db = new DatabaseSync(process.argv[1], { timeout: 5000 })
    let n = 0
    for (const end = Date.now() + Number(process.argv[2]); Date.now() < end; n++) {
      db.exec('BEGIN IMMEDIATE')
      for (let i = 0; i < 3; i++) db.prepare('INSERT OR REPLACE INTO t(id, v) VALUES(?, ?)').run(Math.floor(Math.random() * 50), process.pid + ':' + n)
      if (n % 3 === 0) db.prepare('DELETE FROM t WHERE id = ?').run(Math.floor(Math.random() * 50))
      db.exec(n % 5 === 0 ? 'ROLLBACK' : 'COMMIT')
      // SQLite's lock knows no turns: without a breath between two transactions, others get it by luck alone
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1)
    }`
  const [first, second] = [600, 10_000].map(ms =>
    spawn(process.execPath, ['--input-type=module', '-e', script, path, String(ms)], { stdio: 'ignore' }),
  ) as [ChildProcess, ChildProcess]
  const replica = new Replica()
  await replica.load(store, 't', 10)
  let n = 0
  while (first.exitCode === null) {
    await replica.follow(store, ['t'])
    if (n % 3 === 0) await store.fold()
    await push(
      store,
      alice,
      mutation(++n, { entity: 't', id: String(n % 50), action: 'update', values: { v: `push ${n}` } }),
    )
    await new Promise(resolve => setTimeout(resolve, 5))
  }
  second.kill('SIGKILL')
  await once(second, 'exit')
  await replica.follow(store, ['t'])
  const expected = new Replica()
  await expected.load(store, 't', 7)
  expect(replica.listing).toEqual(expected.listing)
  expect(replica.rows.size).toBe(app.prepare('SELECT count(*) AS c FROM t').get()?.['c'])
  expect(n).toBeGreaterThan(0)
}, 20_000)

test('[S9] a commit of somebody else wakes a watcher, which hears how far the log is', async () => {
  const { app, store } = await world()
  await new Promise(resolve => setTimeout(resolve, 50))
  const woken = new Promise<number | undefined>(resolve => {
    closing.push(store.watch({ wake: resolve, schemaChanged() {}, failed() {} }))
  })
  app.exec("UPDATE t SET v = 'woken'")
  expect(await woken).toBe((await store.head()).seq)
})

test('[L6] a restored backup that was written on is recognised', async () => {
  const { app, path, store } = await world()
  app.exec("UPDATE t SET v = 'before'")
  const early = await store.head()
  app.exec('PRAGMA wal_checkpoint(TRUNCATE)')
  copyFileSync(path, `${path}.backup`)
  app.exec("UPDATE t SET v = 'lost'")
  const late = await store.head()
  const restored = openHandle('node:sqlite', `${path}.backup`)
  closing.push(() => restored.close())
  const other = await openStore(restored, ['t'])
  closing.push(() => other.close())
  expect(await other.verify([early, late])).toEqual(['here', 'off'])
  restored.exec("UPDATE t SET v = 'another branch'; UPDATE t SET v = 'and on'")
  expect((await other.head()).seq).toBeGreaterThanOrEqual(late.seq)
  expect(
    await other.verify([early, late, { ...early, epoch: 'other' }, { epoch: early.epoch, seq: 0, check: 0 }]),
  ).toEqual(['here', 'off', 'off', 'here'])
})

test('[L5] cleanup forgets what is older than asked for, and says how much', async () => {
  const { app, store } = await world()
  const day = 86_400_000
  const age = (from: number, to: number, days: number): void =>
    app.exec(
      `UPDATE _syncline_tail SET clock = clock - ${days * day * 1000} WHERE seq BETWEEN ${from} AND ${to}`,
    )
  app.exec(
    "UPDATE t SET v = 'old' WHERE id = 1; DELETE FROM t WHERE id = 2; UPDATE t SET v = 'newer' WHERE id = 1; INSERT INTO t VALUES(3, 'c', NULL)",
  )
  age(1, 2, 8)
  age(3, 4, 6)
  const head = await store.head()
  expect(await store.cleanup(Date.now() - 7 * day)).toBe(2)
  expect(await store.cleanup(Date.now() - 7 * day)).toBe(0)
  expect(await store.stats()).toMatchObject({ tail: 2, rows: 2, gone: 0 })
  expect(await store.verify([head, { ...head, seq: 1, check: 1 }])).toEqual(['here', 'old'])
  // everything is old now: the newest entry stays, and with it the numbering
  expect(await store.cleanup(Date.now() + day)).toBe(0)
  expect(await store.stats()).toMatchObject({ tail: 1, rows: 2 })
  app.exec('INSERT INTO t(v) VALUES(5)')
  expect((await store.head()).seq).toBe(head.seq + 1)
  expect((await store.rowsAbove({ entity: 't', above: 0, after: null, limit: 1 })).next).not.toBe(null)
})

test('[D8] an update based below the horizon of a row that is not there is a conflict', async () => {
  const { app, store } = await world()
  app.exec("DELETE FROM t WHERE id = 2; UPDATE t SET v = 'x'; UPDATE t SET v = 'y'")
  await store.cleanup(Date.now() + 1_000)
  const late = mutation(1, { entity: 't', id: '2', action: 'update', values: { v: 'zombie' } }, { base: 0 })
  expect(await push(store, alice, late)).toMatchObject([
    { status: 'conflict', error: { code: 'ROW_DELETED' } },
  ])
})

test('[L2] two engines on one file accept, fold and clean up at once', async () => {
  const { app, path, store } = await world()
  const handle = openHandle('better-sqlite3', path)
  closing.push(() => handle.close())
  const other = await openStore(handle, ['t'])
  closing.push(() => other.close())
  const replica = new Replica()
  await replica.load(store, 't', 10)
  for (let n = 1; n < 60; n++) {
    const [one, two] = n % 2 === 0 ? [store, other] : [other, store]
    const write = (value: string): Parameters<typeof mutation>[1] => ({
      entity: 't',
      id: String(n % 4),
      action: n % 7 === 0 ? 'delete' : 'update',
      values: n % 7 === 0 ? {} : { v: value },
    })
    await Promise.all([
      push(one, alice, mutation(n, write(`a${n}`))),
      push(two, { user: 'u', client: 'bob', lead: null }, mutation(n, write(`b${n}`), { client: 'bob' })),
      n % 3 === 0 ? one.fold() : null,
      n % 5 === 0 ? two.fold() : null,
    ])
    if (n % 11 === 0) await one.cleanup(Date.now() - 20)
    await replica.follow(n % 4 === 0 ? other : store, ['t'])
    const expected = new Replica()
    await expected.load(two, 't', 10)
    expect(replica.listing, `after ${n}`).toEqual(expected.listing)
    const ids = ['0', '1', '2', '3']
    while ((await one.fold()) || (await two.fold()));
    expect(await one.look('t', ids)).toEqual(await two.look('t', ids))
  }
  expect(
    app
      .prepare(
        'SELECT count(*) AS c FROM _syncline_rows r JOIN _syncline_gone g ON g.ent = r.ent AND g.id = r.id',
      )
      .get(),
  ).toEqual({ c: 0 })
})

test('[L2] a large import is folded on the way, and a client is served meanwhile', async () => {
  const { app, store } = await world()
  app.exec(
    'WITH RECURSIVE n(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) INSERT INTO t(id, v) SELECT i, i FROM n',
  )
  expect(
    await push(
      store,
      alice,
      mutation(
        1,
        { entity: 't', id: '15', action: 'update', values: { v: 'x' } },
        { base: 0, stamp: '0000000000000001.old' },
      ),
    ),
  ).toMatchObject([{ status: 'conflict' }])
  const replica = new Replica()
  expect((await replica.follow(store, ['t'], 1_500)).length).toBe(19_991)
  const again = new Replica()
  await again.load(store, 't', 5_000)
  expect(again.rows.get('t/20000')?.seq).toBe(replica.rows.get('t/20000')?.seq)
  expect(again.rows.size).toBe(19_993)
})

test('[L1] what was accepted before a crash is there after it', async () => {
  const { app, path, store } = await world()
  await push(store, alice, mutation(1, { entity: 't', id: '1', action: 'update', values: { v: 'kept' } }))
  // as a killed process leaves it: log and file copied while everything is open
  copyFileSync(path, `${path}.crash`)
  copyFileSync(`${path}-wal`, `${path}.crash-wal`)
  const after = openHandle('node:sqlite', `${path}.crash`)
  closing.push(() => after.close())
  const other = await openStore(after, ['t'])
  closing.push(() => other.close())
  expect(await other.identify(alice)).toEqual({ last: 1, lead: 1 })
  const [result] = await other.accept(
    alice,
    [mutation(1, { entity: 't', id: '1', action: 'update', values: { v: 'twice' } })],
    deciding(),
    0,
  )
  expect(result).toMatchObject({ result: { status: 'duplicate', version: 1 } })
  expect((await other.look('t', ['1']))[0]).toMatchObject({
    row: { v: 'kept' },
    standing: { cells: { v: { by: 'alice' } } },
  })
  app.exec('SELECT 1')
})

test('[C11] writers that wait for one lock give up together, not one after the other', async () => {
  const place = freshPlace()
  const app = openHandle('node:sqlite', place.path)
  app.exec("CREATE TABLE t(id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (1, 'a')")
  const time = virtualTime(seededRandom(1))
  const env = {
    ...nodeEnv(),
    after: time.after.bind(time),
    soon: (run: () => void) => time.after(0, run),
  }
  const store = await openStore(app, ['t'], env)
  const other = openHandle('node:sqlite', place.path)
  other.exec('BEGIN IMMEDIATE')
  const refused: unknown[] = []
  for (const n of [1, 2, 3])
    void push(store, alice, mutation(n, { entity: 't', id: '1', action: 'update', values: { v: n } })).catch(
      (error: unknown) => refused.push(error),
    )
  await time.run(4_000)
  expect(refused).toEqual([])
  await time.run(1_500)
  expect(refused).toEqual([1, 2, 3].map(() => expect.objectContaining({ code: 'DATABASE_BUSY' })))
  other.exec('ROLLBACK')
  other.close()
  await store.close()
  app.close()
  place.dispose()
})
