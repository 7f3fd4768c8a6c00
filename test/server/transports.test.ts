// The transports of the client against a server of ours, over real sockets.
import { afterEach, expect, test } from 'vitest'
import { longPollTransport, sseTransport, webSocketTransport } from 'syncline/client'
import type { Transport } from 'syncline/client'
import { fakePeer, transportContract } from 'syncline/testing'
import type { TransportHome } from 'syncline/testing'
import { nodeEnv } from 'syncline'
import type { Peer } from 'syncline'
import { cleanUp, startApp, until } from './support/app.ts'
import { post } from './support/wire.ts'

afterEach(cleanUp)

const kinds: [string, (url: string) => Transport][] = [
  ['websocket', webSocketTransport],
  ['sse', sseTransport],
  ['long-poll', longPollTransport],
]

for (const [name, transport] of kinds) {
  const home = async (): Promise<TransportHome> => {
    const app = await startApp()
    return {
      transport: transport(`${app.url}/api/sync`),
      connections: async () => (await app.engine.stats()).connections,
      moment: () => new Promise(resolve => setTimeout(resolve, 10)),
      stop: () => app.stop(),
    }
  }
  transportContract(name, home, { test, expect })
}

interface Poll {
  readonly text: string
  readonly status: number
  readonly headers: Headers
}

async function poll(url: string, session: string): Promise<Poll> {
  const response = await fetch(`${url}/api/sync/events?stream=poll&session=${session}`)
  return { text: await response.text(), status: response.status, headers: response.headers }
}

async function begin(url: string): Promise<string> {
  const { text } = await poll(url, '')
  return /"session":"(\w+)"/.exec(text)?.[1] ?? ''
}

const frames = (text: string): { type: string; sets?: { rows: unknown[] }[] }[] =>
  text
    .split('\n')
    .filter(line => line.startsWith('data: '))
    .map(line => JSON.parse(line.slice(6)))

const hello = { type: 'hello', protocol: 1, client: 'c1', lead: 1, acked: 0 }
const subscribe = { type: 'subscribe', scopes: [{ entity: 'users', cursor: null, marks: [], shape: null }] }

test('a request of long-poll waits for what comes, and says that nobody may keep its answer', async () => {
  const { db, url } = await startApp()
  const session = await begin(url)
  expect((await post(`${url}/api/sync/events?session=${session}`, [hello, subscribe])).status).toBe(204)
  let text = ''
  await until('the snapshot', async () => {
    text += (await poll(url, session)).text
    return text.includes('"batch"')
  })
  let answered = false
  const waiting = poll(url, session).finally(() => (answered = true))
  for (let i = 0; i < 10; i++) await fetch(`${url}/api/sync/health`)
  expect(answered).toBe(false)
  db.exec("INSERT INTO users VALUES (1, 'Ann', NULL)")
  const answer = await waiting
  expect(answer.headers.get('cache-control')).toContain('no-store')
  expect(answer.headers.get('content-type')).toContain('text/event-stream')
  expect(frames(answer.text)[0]).toMatchObject({
    type: 'batch',
    sets: [{ rows: [[expect.any(Number), 1, 'Ann', null]] }],
  })
})

test('one request of a session at a time: an older one is ended', async () => {
  const { url } = await startApp()
  const session = await begin(url)
  const first = poll(url, session)
  await new Promise(resolve => setTimeout(resolve, 50))
  const second = poll(url, session)
  expect((await first).text).toMatch(/^:/)
  await post(`${url}/api/sync/events?session=${session}`, [{ type: 'ping' }])
  expect(frames((await second).text)[0]).toMatchObject({ type: 'pong' })
})

test('[S4] [K11] nobody asks: what is kept for them stays within the budget, the rest comes from the log', async () => {
  const { db, url } = await startApp({ limits: { maxBuffered: 64 * 1024 } })
  const rows = 2000
  db.exec(
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<${rows}) INSERT INTO users SELECT i, printf('%.*c', 500, 'x'), NULL FROM n`,
  )
  const session = await begin(url)
  await post(`${url}/api/sync/events?session=${session}`, [hello, subscribe])
  const sizes: number[] = []
  const seen = new Set<unknown>()
  const ask = async (): Promise<void> => {
    const { text } = await poll(url, session)
    sizes.push(text.length)
    for (const { sets = [] } of frames(text))
      for (const set of sets) for (const row of set.rows) seen.add(Array.isArray(row) ? row[1] : null)
  }
  // then the reading has begun
  await until('a row', async () => {
    await ask()
    return seen.size > 0
  })
  for (let i = 0; i < 50; i++) db.exec(`UPDATE users SET email = printf('%.*c', 2000, 'y') WHERE id <= 100`)
  await until('all rows and the last change', async () => {
    await ask()
    return seen.size === rows
  })
  // 1 MB of rows and 10 MB of changes; an answer has at most the budget and the page that went over it
  expect(Math.max(...sizes)).toBeLessThan(64 * 1024 + 512 * 1024)
})

test('K20 a session that nobody has, and one that was given up', async () => {
  const { url, engine } = await startApp()
  expect((await poll(url, 'nobody')).status).toBe(410)
  const session = await begin(url)
  const abort = new AbortController()
  const given = fetch(`${url}/api/sync/events?stream=poll&session=${session}`, { signal: abort.signal })
  given.catch(() => {})
  await until('the session', async () => (await engine.stats()).connections === 1)
  await new Promise(resolve => setTimeout(resolve, 50))
  abort.abort()
  await until('its end', async () => (await engine.stats()).connections === 0)
  expect((await poll(url, session)).status).toBe(410)
})

/** An engine whose time is the test's. */
async function timed() {
  let now = Date.now()
  const timers = new Set<{ at: number; run: () => void }>()
  const env = {
    ...nodeEnv(),
    now: () => now,
    after(ms: number, run: () => void) {
      const timer = { at: now + ms, run }
      timers.add(timer)
      return () => void timers.delete(timer)
    },
  }
  const { engine } = await startApp({ env, limits: { helloTimeout: Infinity } })
  const fire = (): void => {
    for (const timer of Array.from(timers).sort((a, b) => a.at - b.at)) {
      if (timer.at <= now && timers.delete(timer)) timer.run()
    }
  }
  const pass = (seconds: number): void => {
    for (let i = 0; i < seconds; i++) {
      now += 1000
      fire()
    }
  }
  /** The machine sleeps. */
  const sleep = (seconds: number): void => {
    now += seconds * 1000
    fire()
  }
  const join = (kind: Peer['kind']) => {
    const log: string[] = []
    const peer = fakePeer(kind, {
      probe: () => void log.push('probe'),
      close: code => void log.push(`close ${code}`),
    })
    return { log, connection: engine.connect(peer) }
  }
  return { pass, sleep, join }
}

test('[K12] X45 a silent connection is asked twice and given up within 35 s; one that answers is kept', async () => {
  const { pass, join } = await timed()
  pass(3)
  const silent = join('websocket')
  const alive = join('websocket')
  for (let i = 0; i < 35; i++) {
    pass(1)
    if (alive.log.at(-1) === 'probe') {
      alive.connection.alive()
      alive.log.push('answer')
    }
  }
  expect(silent.log).toEqual(['probe', 'probe', 'close 1001'])
  expect(alive.log).toEqual(['probe', 'answer'])
})

test('[K12] X33 a server that slept asks before it gives anybody up', async () => {
  const { pass, sleep, join } = await timed()
  const { log, connection } = join('websocket')
  pass(1)
  sleep(600)
  expect(log).toEqual(['probe'])
  connection.alive()
  pass(10)
  expect(log).toEqual(['probe'])
})

test('[K12] X44 an event stream hears something every 15 s, and is never given up for being silent', async () => {
  const { pass, join } = await timed()
  const { log } = join('sse')
  pass(120)
  expect(log).toEqual(Array.from({ length: 8 }, () => 'probe'))
})
