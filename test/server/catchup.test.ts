// Readings beside the live log: what fails, is overtaken, given up or cut off while a client is caught up.
import { afterEach, expect, test } from 'vitest'
import { nodeEnv, SyncError } from 'syncline'
import { cleanUp, startApp, until, usersAndPosts } from './support/app.ts'
import { connect, engineOver, gate } from './support/engine.ts'
import { update } from './support/session.ts'
import { changesIn, openStream } from './support/wire.ts'
import type { WireFrame } from './support/wire.ts'

afterEach(cleanUp)

const isTo = (frame: WireFrame): boolean => frame.type === 'batch' && frame['to'] !== undefined
const seqOf = (frame: WireFrame): number => (frame['to'] as { seq: number } | undefined)?.seq ?? -1
const bulk = (n: number): string =>
  `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<${n}) INSERT INTO users(name) SELECT 'bulk' FROM n`

test('[R2] a result that came while its scope was read moves the cursor as soon as the scope is live', async () => {
  const held = gate()
  let reading = false
  const { db, engine } = await engineOver(inner => ({
    async changes(query) {
      const page = await inner.changes(query)
      if (query.entities.join('') === 'users') {
        reading = true
        await held.passed
      }
      return page
    },
  }))
  db.exec("INSERT INTO users VALUES (1, 'Ann', NULL)")
  // somebody else listens, so that the live window reaches back to where the reading ends
  const watcher = connect(engine)
  await watcher.hello()
  watcher.subscribe('posts')
  await watcher.got('a batch', isTo)
  const client = connect(engine)
  await client.hello()
  client.subscribe('users')
  await until('the reading', () => reading)
  db.exec("INSERT INTO posts VALUES (1, 1, 'elsewhere')")
  const nothing = { entity: 'users', id: '777', action: 'delete' }
  client.send({ type: 'mutate', acked: 0, mutations: [{ n: 1, base: null, stamp: null, writes: [nothing] }] })
  const answer = await client.got('the result', frame => frame.type === 'results')
  expect(answer['results']).toMatchObject([{ n: 1, version: 2 }])
  held.open()
  await client.got('a batch up to the result', frame => isTo(frame) && seqOf(frame) >= 2)
})

test('[S9] what is flushed already is not read again when the store notices it; what is not, is', async () => {
  const noticed: (number | undefined)[] = []
  let reads = 0
  const { db, engine } = await engineOver(inner => ({
    changes(query) {
      reads += 1
      return inner.changes(query)
    },
    watch: listener =>
      inner.watch({
        ...listener,
        wake(seq) {
          noticed.push(seq)
          listener.wake(seq)
        },
      }),
  }))
  const client = connect(engine)
  await client.hello()
  client.subscribe('users')
  await client.got('the table', isTo)
  const write = { entity: 'users', id: '1', action: 'create', data: { id: 1, name: 'Ann' } }
  client.send({ type: 'mutate', acked: 0, mutations: [{ n: 1, base: null, stamp: null, writes: [write] }] })
  await client.got('its batch', frame => isTo(frame) && seqOf(frame) === 1)
  const before = reads
  await until('the notice', () => noticed.includes(1))
  await new Promise(resolve => setTimeout(resolve, 20))
  expect(reads).toBe(before)
  db.exec("UPDATE users SET name = 'elsewhere'")
  await client.got('the change of somebody else', frame => isTo(frame) && seqOf(frame) === 2)
})

test('[S4] T-S08 an event stream without since that fell behind is caught up and stays', async () => {
  const { db, url, engine } = await startApp()
  const stream = await openStream(`${url}/api/sync/events?entities=users`)
  await until('the subscription', async () => (await engine.stats()).subscribers === 1)
  db.exec(bulk(12_500))
  await until('the bulk', () => changesIn(stream.frames).length >= 12_500)
  db.exec("INSERT INTO users(name) VALUES ('afterwards')")
  await until('the change after', () => stream.text().includes('afterwards'))
  db.exec('ALTER TABLE users ADD COLUMN age INTEGER')
  await stream.ended
})

test('[S3] a reading that fails closes the connection, to come again', async () => {
  let fail = ''
  const busy = (name: string): void => {
    if (fail === name) throw new SyncError('DATABASE_BUSY', 'locked', { retryAfterMs: 70 })
  }
  const { db, engine } = await engineOver(inner => ({
    async rowsAbove(query) {
      busy('repair')
      return inner.rowsAbove(query)
    },
    async changes(query) {
      // the live end reads for all entities at once
      if (query.entities.length === 1) busy('changes')
      return inner.changes(query)
    },
  }))
  const off = connect(engine)
  await off.hello()
  fail = 'repair'
  off.subscribe('users', { cursor: { epoch: 'another', seq: 3, check: 1 } })
  await until('the end', () => off.closed[0])
  expect(off.closed).toMatchObject([[1013, expect.any(String), 70]])
  fail = ''
  const slow = connect(engine)
  await slow.hello()
  slow.subscribe('users')
  await slow.got('a batch', isTo)
  fail = 'changes'
  db.exec(bulk(12_500))
  await until('the end', () => slow.closed[0])
  expect(slow.closed).toMatchObject([[1013, expect.any(String), 70]])
})

test('[S1] a bare sync that can never succeed is answered, and the connection goes on', async () => {
  const { engine } = await engineOver(() => ({
    snapshot: () => Promise.reject(new SyncError('UNKNOWN_ENTITY', 'gone meanwhile')),
  }))
  const line = connect(engine)
  line.send({ type: 'sync', entity: 'users', since: 0 })
  expect(await line.got('an error', frame => frame.type === 'error')).toMatchObject({
    code: 'UNKNOWN_ENTITY',
    re: 'sync',
  })
  expect(line.closed).toEqual([])
})

test('[L5] a cleanup between two pages of a bare sync makes it begin anew', async () => {
  let afterPage = (): Promise<unknown> => Promise.resolve()
  const { db, engine } = await engineOver(inner => ({
    async changes(query) {
      const page = await inner.changes(query)
      // the live end reads for all entities at once
      if (query.entities.length === 1 && page.more) await afterPage()
      return page
    },
  }))
  db.exec(bulk(2500))
  afterPage = async () => {
    afterPage = () => Promise.resolve()
    db.exec('DELETE FROM users WHERE id = 2500')
    db.exec("INSERT INTO posts VALUES (1, 1, 'later')")
    await engine.cleanup(-1)
  }
  const line = connect(engine)
  line.send({ type: 'sync', entity: 'users', since: 1 })
  await line.got('the end', frame => frame.type === 'sync_complete')
  const reset = line.frames.findIndex(frame => frame.type === 'reset')
  expect(reset).toBeGreaterThanOrEqual(0)
  expect(changesIn(line.frames.slice(reset)).map(change => change.id)).not.toContain(2500)
})

test('[S3] K77 since 0 brings the rows that were there before the log, on a socket and on a stream', async () => {
  const schema = `${usersAndPosts}; INSERT INTO users VALUES (1, 'old', NULL)`
  const { url, engine } = await startApp({ schema })
  const line = connect(engine)
  line.send({ type: 'sync', entity: 'users', since: 0 })
  await line.got('the end', frame => frame.type === 'sync_complete')
  const stream = await openStream(`${url}/api/sync/events?entities=users&since=0`)
  await until('the end', () => stream.frames.find(frame => frame.type === 'sync_complete'))
  for (const frames of [line.frames, stream.frames]) {
    expect(changesIn(frames).map(change => change.data?.['name'])).toEqual(['old'])
    expect(frames.some(frame => frame.type === 'reset')).toBe(false)
  }
})

test('[S3] T-S07 a replay has one id, at its end, where nothing before it can be missed', async () => {
  const { db, engine } = await engineOver()
  db.exec("INSERT INTO users VALUES (1, 'a', NULL); INSERT INTO posts VALUES (1, 1, 'b')")
  for (const since of [0, 99]) {
    const stream = connect(engine, 'sse')
    await stream.connection.resume(['users', 'posts'], since)
    await until('both ends', () => stream.frames.filter(frame => frame.type === 'sync_complete').length === 2)
    expect(changesIn(stream.frames)).toHaveLength(2)
    expect(stream.ids.filter(id => id !== null)).toEqual([2])
    expect(stream.ids.at(-1)).toBe(2)
  }
})

test('[S1] what was subscribed anew is not read to its end for the old turn, and no delete is lost', async () => {
  const held = gate()
  let pages = 0
  const { db, engine } = await engineOver(inner => ({
    async snapshot(query) {
      if (++pages === 2) await held.passed
      return inner.snapshot(query)
    },
  }))
  db.exec(bulk(600))
  const client = connect(engine)
  await client.hello()
  client.subscribe('users')
  await client.got('the first page', frame => frame.type === 'batch')
  db.exec('DELETE FROM users WHERE id = 1')
  for (let i = 0; i < 50; i++) client.subscribe('users')
  client.subscribe('posts')
  held.open()
  // readings follow each other: all of users are over when posts are answered
  const isPosts = (frame: WireFrame): boolean => isTo(frame) && String(frame['scopes']) === 'posts'
  await client.got('the posts', isPosts)
  const ends = client.frames.filter(frame => isTo(frame) && !isPosts(frame))
  expect(ends).toHaveLength(1)
  // its client staged row 1 of the reading that was given up
  expect(JSON.stringify(ends)).toContain('"gone":[["1",601]]')
})

test('[S4] who does not read answers gets no more of them, and is given up when refusals pile up', async () => {
  const { engine } = await engineOver()
  const line = connect(engine)
  line.wire.buffered = 2 ** 20
  for (let i = 0; i < 50; i++) line.send({ type: 'nonsense' })
  expect(line.frames).toEqual([])
  line.send({ type: 'mutate', acked: 0, mutations: [{ n: 5, writes: 'none' }] })
  expect(line.frames).toMatchObject([{ type: 'error', n: 5 }])
  expect(line.closed).toEqual([])
  line.wire.buffered = 2 ** 22 + 1
  line.send({ type: 'nonsense' })
  expect(line.closed).toMatchObject([[1008, 'answers are not read', undefined]])
})

test('[S8] closing waits for a store call without spinning, and not for a slow reader', async () => {
  let turns = 0
  const real = nodeEnv()
  const env = { ...real, soon: (run: () => void) => (turns++, real.soon(run)) }
  const held = gate()
  let asked = false
  const { engine } = await engineOver(
    inner => ({
      async identify(sender) {
        asked = true
        await held.passed
        return inner.identify(sender)
      },
    }),
    env,
  )
  const client = connect(engine)
  client.send({ type: 'hello', protocol: 1, client: 'c1', lead: 1, acked: 0 })
  client.send({ type: 'mutate', acked: 0, mutations: [update(1, 'users', 1, { name: 'x' })] })
  await until('the call', () => asked)
  turns = 0
  const closing = engine.close()
  for (let i = 0; i < 100; i++) await new Promise(resolve => setImmediate(resolve))
  expect(turns).toBeLessThan(10)
  client.wire.buffered = 2 ** 21
  held.open()
  await closing
  expect(client.frames.some(frame => frame.type === 'results')).toBe(true)
})
