// The whole check: so many bent messages, and nothing has come of it.
import { expect } from 'vitest'
import { rowsOf, startApp, until } from './app.ts'
import { fuzz, heap, maxPayload } from './fuzz.ts'
import { corpus } from './mutate.ts'
import { isType, openLine } from './wire.ts'

const plenty = { perSecond: 1_000_000, burst: 1_000_000 }

export async function survives(frames: number, seed: number): Promise<void> {
  const rejected: unknown[] = []
  const reject = (reason: unknown): void => void rejected.push(reason)
  process.on('unhandledRejection', reject)
  // how much may be asked is another test's question
  const limits = { maxPayload, controlRate: plenty, dataRate: plenty }
  const app = await startApp({ limits, schema: schemaOf, entities: ['users', 'posts'], fieldSync: {} })
  const meanwhile = (): void =>
    void app.db.exec('DELETE FROM users WHERE id > 20; DELETE FROM posts WHERE id > 20')
  const idle = async (): Promise<number> => {
    await until('the closed connections', async () => (await app.engine.stats()).connections === 0)
    return heap()
  }
  const first = await fuzz({ app, frames: frames / 4, seed, meanwhile })
  const before = await idle()
  const rest = await fuzz({ app, frames: frames - first.frames, seed: seed + 1, meanwhile })
  const after = await idle()
  expect([...first.wrong, ...rest.wrong]).toEqual([])
  expect(rejected).toEqual([])
  expect(app.logged.filter(({ level }) => level === 'error')).toEqual([])
  app.logged.length = 0
  // what it was about was reached, not only the door
  for (const type of [
    'welcome',
    'batch',
    'results',
    'push_ack',
    'sync:response',
    'sync:delta',
    'sync:ack',
    'sync:error',
    'subscription:confirmed',
    'field_change',
    'field_changes',
    'subscribed',
    'sync_complete',
    'mismatch',
    'INVALID_MESSAGE',
  ])
    expect(rest.replies.get(type), `${type} of ${Object.keys(corpus).join()}`).toBeGreaterThan(0)
  expect(after - before).toBeLessThan(24 * 1024 * 1024)
  expect(await app.engine.stats()).toMatchObject({ buffered: 0, catchUps: { now: 0, waiting: 0 } })
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
  expect(rowsOf(app.db, 'PRAGMA integrity_check')).toEqual([{ integrity_check: 'ok' }])
  const line = await openLine(app.url)
  line.send({ type: 'ping' })
  await line.next(isType('pong'))
  process.off('unhandledRejection', reject)
}

const schemaOf = `
  CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT);
  CREATE TABLE posts (id INTEGER PRIMARY KEY, user_id INTEGER, title TEXT);
`
