import { copyFileSync } from 'node:fs'
import path from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { nodeEnv } from 'syncline'
import type { ServerEnv } from 'syncline'
import { cleanUp, folder, openDatabase, rowsOf, startApp, until } from './support/app.ts'
import type { App } from './support/app.ts'
import { openSession } from './support/session.ts'
import type { Place } from './support/session.ts'
import { isType, openLine, pull } from './support/wire.ts'

afterEach(cleanUp)

const day = 86_400_000

/** Real time, plus what the test adds; timers of the engine run when the test says so. */
function movedEnv(): ServerEnv & { add(ms: number): void } {
  const real = nodeEnv()
  let offset = 0
  let due: { at: number; run: () => void }[] = []
  return {
    ...real,
    now: () => real.now() + offset,
    after(ms, run) {
      if (ms < 30_000) return real.after(ms, run)
      const timer = { at: real.now() + offset + ms, run }
      due.push(timer)
      return () => void (due = due.filter(other => other !== timer))
    },
    add(ms) {
      offset += ms
      const now = real.now() + offset
      for (const timer of due.filter(other => other.at <= now)) {
        due = due.filter(other => other !== timer)
        timer.run()
      }
    },
  }
}

/** Triggers read the database's own clock, so entries are made old afterwards. */
function age(app: App, days: number, where: string): void {
  app.db.exec(`UPDATE _syncline_tail SET clock = clock - ${days * day * 1000} WHERE ${where}`)
}

const folded = (app: App): Promise<unknown> =>
  until('the fold', async () => {
    const { tail, folded: to, head } = await app.engine.stats()
    return tail === 0 || to === head
  })

test('[L5] T-S19 cleanup(7) forgets a superseded entry and a delete of 8 days ago, keeps those of 6, and counts', async () => {
  const app = await startApp({ retentionDays: false })
  app.db.exec("INSERT INTO users VALUES (1, 'old', NULL), (2, 'old', NULL), (3, 'lives', NULL)")
  app.db.exec("UPDATE users SET name = 'superseded' WHERE id = 1; DELETE FROM users WHERE id = 2")
  app.db.exec(
    "UPDATE users SET name = 'newer' WHERE id = 1; INSERT INTO users VALUES (4, 'x', NULL); DELETE FROM users WHERE id = 4",
  )
  age(app, 8, 'seq <= 5')
  age(app, 6, 'seq > 5')
  await folded(app)
  const forgotten = await app.engine.cleanup(7)
  // 1, 2 and the update of 1 were superseded, the delete of 2 is old; entry 3 is what row 3 is, and is no loss
  expect(forgotten).toBe(4)
  const left = rowsOf(app.db, 'SELECT seq FROM _syncline_tail').map(row => row['seq'])
  expect(left).toEqual([6, 7, 8])
  expect((await pull(app.url, 'users')).changes.map(change => change.data)).toEqual([
    { id: 1, name: 'newer', email: null },
    { id: 3, name: 'lives', email: null },
  ])
  // the delete of 6 days ago is still told; a place before the horizon is answered with everything
  expect((await pull(app.url, 'users', 6)).changes).toMatchObject([{ id: 4, action: 'delete' }])
  expect((await pull(app.url, 'users', 2)).reset).toBe(true)
  expect(await app.engine.cleanup(7)).toBe(0)
})

test('[L5] T-S20 old entries disappear by themselves', async () => {
  const env = movedEnv()
  const app = await startApp({ env })
  app.db.exec(
    "INSERT INTO users VALUES (1, 'a', NULL); UPDATE users SET name = 'b'; UPDATE users SET name = 'c'; INSERT INTO users VALUES (2, 'end', NULL)",
  )
  await folded(app)
  env.add(61_000)
  expect((await app.engine.stats()).tail).toBe(4)
  env.add(8 * day)
  await until('the cleanup', async () => (await app.engine.stats()).tail === 1)
  expect((await pull(app.url, 'users')).changes).toHaveLength(2)
})

test('[L6] X10 a place older than the horizon: reset, everything, and the bare protocol says so too', async () => {
  const app = await startApp({ retentionDays: false })
  app.db.exec(
    "INSERT INTO users VALUES (1, 'a', NULL), (2, 'b', NULL); DELETE FROM users WHERE id = 2; INSERT INTO users VALUES (3, 'c', NULL)",
  )
  age(app, 8, 'seq < 4')
  await folded(app)
  await app.engine.cleanup(7)
  const body = await pull(app.url, 'users', 2)
  expect(body).toMatchObject({ reset: true, version: 4 })
  expect(body.changes.map(change => change.id)).toEqual([1, 3])
  const line = await openLine(app.url)
  line.send({ type: 'sync', entity: 'users', since: 2 })
  await line.next(isType('sync_complete'))
  expect(line.frames.map(frame => frame.type)).toEqual(['reset', 'change', 'change', 'sync_complete'])
})

test('[L6, S7] X17 a restored backup that was written on is recognised by its check, and heals', async () => {
  const app = await startApp({ retentionDays: false })
  app.db.exec("INSERT INTO users VALUES (1, 'a', NULL), (2, 'b', NULL)")
  const session = await openSession(app.url)
  const { to: before } = await session.load('users')
  app.db.exec('PRAGMA wal_checkpoint(TRUNCATE)')
  const backup = path.join(folder(), 'backup.db')
  const copy = openDatabase(app.file)
  copy.exec(`VACUUM INTO '${backup}'`)
  app.db.exec("INSERT INTO users VALUES (3, 'lost', NULL); UPDATE users SET name = 'lost' WHERE id = 1")
  const at = (): Place | undefined =>
    session.frames.filter(isType('batch')).at(-1)?.['to'] as Place | undefined
  const last = await until('both changes', () => (at()?.seq === 4 ? at() : null))
  await app.stop()
  const restored = path.join(folder(), 'restored.db')
  copyFileSync(backup, restored)
  const again = await startApp({ schema: '', file: restored, retentionDays: false })
  // the new branch has the same numbers for other things
  again.db.exec(
    "INSERT INTO users VALUES (4, 'other', NULL); UPDATE users SET name = 'other' WHERE id = 2; UPDATE users SET name = 'B' WHERE id = 2",
  )
  const back = await openSession(again.url)
  const shape = (back.welcome['entities'] as { users: { hash: string } }).users.hash
  back.send({ type: 'subscribe', scopes: [{ entity: 'users', cursor: last, marks: [before], shape }] })
  const reset = await back.next(isType('reset'))
  expect(reset).toMatchObject({ entity: 'users', state: 'off', common: before })
  const repair = await back.next(isType('batch'))
  expect(repair).toMatchObject({ repair: true, from: null })
  const ids = (repair['sets'] as { rows: unknown[][] }[]).flatMap(set => set.rows.map(row => row[1]))
  expect(new Set(ids)).toEqual(new Set([2, 4]))
  // step 2 and 3: what the client holds of the lost branch is named by the client only
  back.send({
    type: 'reconcile',
    entity: 'users',
    cursor: repair['to'],
    hashes: Array.from({ length: 256 }, () => 0),
  })
  const mismatch = await back.next(isType('mismatch'))
  const held = [
    ['1', 4],
    ['2', 5],
    ['3', 3],
    ['4', 3],
  ]
  back.send({ type: 'reconcile', entity: 'users', cursor: repair['to'], buckets: mismatch['buckets'], held })
  const repaired = await back.next(frame => frame.type === 'batch' && frame['to'] !== undefined)
  const gone = (repaired['sets'] as { gone?: unknown[][] }[]).flatMap(set => set.gone ?? [])
  expect(gone.map(([id]) => id)).toContain('3')
  // and live again
  again.db.exec("INSERT INTO users VALUES (9, 'live', NULL)")
  await back.next(frame => JSON.stringify(frame).includes('"live"'))
})

test('[L6] X17 a version ahead of the log is as far behind as can be', async () => {
  const { db, url } = await startApp()
  db.exec("INSERT INTO users VALUES (1, 'a', NULL)")
  expect(await pull(url, 'users', 500)).toMatchObject({ reset: true, version: 1, changes: [{ id: 1 }] })
})

test('[L7] X11 a snapshot of a table that is being written is complete and exact', async () => {
  const { db, url } = await startApp()
  db.exec(
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<5000) INSERT INTO users SELECT i, 'u'||i, NULL FROM n",
  )
  const session = await openSession(url)
  const writer = { going: true }
  const writes = (async () => {
    for (let i = 0; writer.going; i++) {
      db.exec(
        `UPDATE users SET name = 'w${i}' WHERE id = ${((i * 37) % 5000) + 1}; DELETE FROM users WHERE id = ${((i * 53) % 5000) + 1}; INSERT INTO users (name) VALUES ('n${i}')`,
      )
      await new Promise(resolve => setImmediate(resolve))
    }
  })()
  await session.load('users')
  writer.going = false
  await writes
  const head = (await until('the head', () => rowsOf(db, 'SELECT max(seq) AS seq FROM _syncline_tail')[0]))[
    'seq'
  ]
  await until('the live end', () =>
    session.frames.some(frame => (frame['to'] as Place | undefined)?.seq === head),
  )
  const replica = new Map<string, unknown>()
  for (const frame of session.frames.filter(isType('batch'))) {
    for (const set of frame['sets'] as { rows: unknown[][]; gone?: unknown[][] }[]) {
      for (const [, id, name] of set.rows) replica.set(String(id), name)
      for (const [id] of set.gone ?? []) replica.delete(String(id))
    }
  }
  const table = new Map(rowsOf(db, 'SELECT id, name FROM users').map(row => [String(row['id']), row['name']]))
  expect(replica.size).toBe(table.size)
  expect(Object.fromEntries(replica)).toEqual(Object.fromEntries(table))
})

test('X21 cleaning up a long log never holds writers up', async () => {
  const app = await startApp({ retentionDays: false })
  app.db.exec("INSERT INTO users VALUES (1, 'a', NULL)")
  app.db.exec(
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<20000) INSERT INTO posts SELECT i, 1, 'p' FROM n; UPDATE posts SET title = 'q'; UPDATE posts SET title = 'r'",
  )
  await folded(app)
  const cleaning = app.engine.cleanup(0)
  const oldest = new Set<unknown>()
  const state = { done: false }
  void cleaning.finally(() => (state.done = true))
  app.db.exec('PRAGMA busy_timeout = 5000')
  while (!state.done) {
    oldest.add(rowsOf(app.db, 'SELECT min(seq) AS seq FROM _syncline_tail')[0]?.['seq'])
    app.db.exec("UPDATE users SET name = name || 'x'")
    await new Promise(resolve => setImmediate(resolve))
  }
  expect(await cleaning).toBeGreaterThan(20_000)
  expect((await app.engine.stats()).tail).toBeLessThan(30_000)
  // it works in small pieces, and each lets a writer in between
  expect(oldest.size).toBeGreaterThan(10)
}, 60_000)
