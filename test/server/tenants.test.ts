// Two tenants on one server. One of them tries every door, dialect, error and way of catching up, while the other writes;
// then all bytes that it was ever sent are searched for what is not its own (rules V1, V2, V7; X49).
import { afterEach, expect, test } from 'vitest'
import { defineEntity } from 'syncline'
import type { User } from 'syncline'
import { WebSocket } from 'ws'
import { cleanUp, later, startApp, until } from './support/app.ts'
import type { App } from './support/app.ts'

afterEach(cleanUp)

/** In every cell and id of the other tenant that the first one does not name itself. */
const theirs = 'OTHERS'
/** In a column that the first tenant may not see, of its own rows too. */
const hidden = 'HUSH'

const schema = `CREATE TABLE notes (id TEXT PRIMARY KEY NOT NULL, tenant TEXT, title TEXT, body TEXT, secret TEXT);
  CREATE TABLE parts (id INTEGER PRIMARY KEY, tenant TEXT, note TEXT, text TEXT)`

const users = new Map<string, User>([
  ['a', { id: 'a', tenant: 'A' }],
  ['b', { id: 'b', tenant: 'B' }],
])

async function begin(): Promise<App> {
  const access = {
    read: (user: { readonly [claim: string]: unknown }) => ({ tenant: String(user['tenant']) }),
  }
  const app = await startApp({
    schema,
    authenticate: request => users.get(request.headers.get('cookie') ?? '') ?? null,
    entities: [
      defineEntity({
        name: 'notes',
        by: ['tenant', 'title'],
        strategy: 'server-wins',
        access: {
          ...access,
          columns: user =>
            user.id === 'a' ? ['tenant', 'title', 'body'] : ['tenant', 'title', 'body', 'secret'],
        },
      }),
      defineEntity({ name: 'parts', access }),
    ],
    retentionDays: false,
  })
  const insert = app.db.prepare('INSERT INTO notes VALUES (?, ?, ?, ?, ?)')
  for (let i = 0; i < 30; i++) {
    insert.run(`mine${i}`, 'A', `title ${i}`, 'body', `${hidden} ${i}`)
    insert.run(`${theirs}-${i}`, 'B', `${theirs} title ${i}`, theirs, theirs)
  }
  insert.run('guess', 'B', `${theirs} guessed`, theirs, theirs)
  app.db.exec(`INSERT INTO parts VALUES (1, 'A', 'mine1', 'p'), (2, 'B', '${theirs}-1', '${theirs}')`)
  return app
}

/** All that one tenant is sent, whatever carries it. */
class Ear {
  readonly who: string
  readonly app: App
  heard = ''

  constructor(app: App, who: string) {
    this.app = app
    this.who = who
  }

  async ask(path: string, init: RequestInit = {}): Promise<{ status: number; text: string }> {
    const response = await fetch(`${this.app.url}/api/sync${path}`, {
      ...init,
      headers: { cookie: this.who, 'content-type': 'application/json' },
    })
    const text = await response.text()
    this.heard += `${JSON.stringify(Array.from(response.headers))}${text}`
    return { status: response.status, text }
  }

  post(path: string, body: unknown): Promise<{ status: number; text: string }> {
    return this.ask(path, { method: 'POST', body: JSON.stringify(body) })
  }

  /** Listens until it is closed; the result says what came so far. */
  async stream(path: string, headers: Record<string, string> = {}): Promise<() => string> {
    const abort = new AbortController()
    later(() => abort.abort())
    const response = await fetch(`${this.app.url}/api/sync${path}`, {
      headers: { cookie: this.who, ...headers },
      signal: abort.signal,
    })
    let text = ''
    const read = async (): Promise<void> => {
      const decoder = new TextDecoder()
      for await (const chunk of response.body ?? []) {
        const piece = decoder.decode(chunk, { stream: true })
        text += piece
        this.heard += piece
      }
    }
    void read().catch(() => {})
    return () => text
  }

  async socket(): Promise<Line> {
    const ws = new WebSocket(`${this.app.url.replace('http', 'ws')}/api/sync/ws`, {
      headers: { cookie: this.who },
    })
    later(() => ws.terminate())
    const frames: Frame[] = []
    ws.on('message', (data: Buffer) => {
      const text = data.toString()
      this.heard += text
      frames.push(JSON.parse(text) as Frame)
    })
    await new Promise((resolve, reject) => ws.once('open', resolve).once('error', reject))
    return {
      frames,
      say: message => ws.send(JSON.stringify(message)),
      hears: async (what, fits) => {
        const found = await until(what, () => frames.find(fits))
        frames.splice(0, frames.indexOf(found) + 1)
        return found
      },
      close: () => ws.close(),
    }
  }

  async session(client: string): Promise<Line & { welcome: Frame }> {
    const line = await this.socket()
    line.say({ type: 'hello', protocol: 1, client, lead: 1, acked: 0 })
    return { ...line, welcome: await line.hears('a welcome', ({ type }) => type === 'welcome') }
  }
}

type Frame = { readonly type: string; readonly [field: string]: unknown }
interface Line {
  readonly frames: Frame[]
  say(message: object): void
  hears(what: string, fits: (frame: Frame) => boolean): Promise<Frame>
  close(): void
}

const whole = (frame: Frame): boolean => frame.type === 'batch' && frame['to'] !== undefined
const scope = (more: object = {}): object => ({
  entity: 'notes',
  cursor: null,
  marks: [],
  shape: null,
  ...more,
})
const write = (id: string, action: string, data?: object): object => ({
  entity: 'notes',
  id,
  action,
  ...(data && { data }),
})
const mutation = (n: number, ...writes: object[]): object => ({ n, base: null, stamp: null, writes })

/** The other tenant's day: rows made, changed, handed over both ways, deleted, a key moved. */
function busy({ db }: App, round: number): void {
  const at = (i: number): string => `${theirs}-${i}`
  db.exec(`INSERT INTO notes VALUES ('${at(1000 + round)}', 'B', '${theirs} new', '${theirs}', '${theirs}')`)
  db.exec(`UPDATE notes SET body = '${theirs} ${round}' WHERE tenant = 'B'`)
  db.exec(`UPDATE notes SET id = '${at(2000 + round)}' WHERE id = '${at(round)}'`)
  db.exec(`DELETE FROM notes WHERE id = '${at(round + 10)}'`)
  db.exec(`UPDATE notes SET secret = '${hidden} ${round}' WHERE tenant = 'A'`)
  // handed over: the row was to be seen until then, and what is written to it later is not
  db.exec(
    `UPDATE notes SET tenant = 'B' WHERE id = 'mine${round}'; UPDATE notes SET title = '${theirs}' WHERE id = 'mine${round}'`,
  )
  db.exec(
    `INSERT OR REPLACE INTO parts VALUES (1, 'B', '${theirs}', '${theirs}'); DELETE FROM parts WHERE id = 2`,
  )
  db.exec(`INSERT INTO parts VALUES (2, 'B', '${theirs}', '${theirs}')`)
}

/** Something that the first tenant will hear of: then it has heard all that was before it. */
async function mark(app: App, ear: Ear, text: string): Promise<void> {
  app.db.exec(`INSERT INTO notes VALUES ('${text}', 'A', '${text}', 'b', '${hidden}')`)
  await until(text, () => ear.heard.includes(`"${text}"`))
}

function expectClean({ heard }: Ear): void {
  const found = heard.search(new RegExp(`${theirs}|${hidden}`))
  expect(found === -1 ? '' : heard.slice(Math.max(0, found - 200), found + 100)).toBe('')
}

test('[V1] [V2] X49 HTTP: whole tables, changes since, bad requests, writes', async () => {
  const app = await begin()
  const a = new Ear(app, 'a')
  const { version } = JSON.parse((await a.ask('/notes')).text) as { version: number }
  for (let round = 0; round < 3; round++) {
    busy(app, round)
    for (const query of [
      '',
      '?since=0',
      `?since=${version}`,
      `?since=${version + 2}&limit=2`,
      '?since=999999',
      '?since=x',
    ])
      await a.ask(`/notes${query}`)
    await a.ask('/parts')
    await a.ask('/notes', { method: 'HEAD' })
    await a.ask(`/${theirs.toLowerCase()}`)
    const pushed = await a.post('/notes', {
      client_id: 'x',
      changes: [
        { id: 'guess', action: 'update', data: { title: 'x' } },
        { id: 'guess', action: 'create', data: { title: 'x', tenant: 'A' } },
        { id: 'guess', action: 'update', data: { tenant: 'A' } },
        { id: 'mine20', action: 'update', data: { secret: 'x' } },
        { id: 'mine21', action: 'update', data: { tenant: 'B' } },
        { id: 'guess', action: 'delete' },
      ],
    })
    const { results } = JSON.parse(pushed.text) as { results: { status: string; error?: { code: string } }[] }
    expect(results.map(({ status, error }) => error?.code ?? status)).toEqual([
      'FORBIDDEN',
      'FORBIDDEN',
      'FORBIDDEN',
      'FORBIDDEN',
      'FORBIDDEN',
      'applied',
    ])
    await app.engine.cleanup(0)
  }
  expect(app.db.prepare("SELECT title FROM notes WHERE id = 'guess'").all()).toEqual([
    { title: `${theirs} guessed` },
  ])
  expect((await a.ask('/notes')).text).toContain('"mine5"')
  expectClean(a)
  // the ear hears: what is searched for is there for whom it belongs to
  const b = new Ear(app, 'b')
  await b.ask('/notes')
  expect(b.heard).toContain(theirs)
})

test('[V1] [V2] X49 the bare protocol over WebSocket, event streams and their resumption', async () => {
  const app = await begin()
  const a = new Ear(app, 'a')
  const b = new Ear(app, 'b')
  const line = await a.socket()
  line.say({ type: 'subscribe', entities: ['notes', 'parts'] })
  await line.hears('the answer', ({ type }) => type === 'subscribed')
  const text = await a.stream('/events')
  await b.stream('/events')
  await mark(app, a, 'first')
  const last = await until('an event id', () => /^id: (\d+)$/m.exec(text())?.[1])
  for (let round = 0; round < 4; round++) {
    busy(app, round)
    for (const batch of [true, false]) line.say({ type: 'sync', entity: 'notes', since: round * 3, batch })
    line.say({ type: 'sync', entity: 'notes', since: 0 })
    line.say({ type: 'sync', entity: 'parts', since: 99_999 })
    const push = { type: 'push', entity: 'notes', id: 'guess', action: 'update', data: { title: 'x' } }
    // the second is answered from what the first came to
    for (let i = 0; i < 2; i++) line.say({ ...push, mutation_id: `m${round}` })
    line.say({ type: 'sync', entity: 'ghosts', since: 0 })
    await a.stream('/events?entities=notes', { 'last-event-id': last })
    await a.stream('/events?since=0')
    await mark(app, a, `round${round}`)
  }
  await until('all streams', () => a.heard.split('"round3"').length > 6)
  expectClean(a)
  await until('the other one', () => b.heard.includes(theirs))
})

test('[V1] [V2] [V4] X49 the canonical protocol: first load, live, catch-up, healing, replays, other rights', async () => {
  const app = await begin()
  const a = new Ear(app, 'a')
  const first = await a.session('c1')
  first.say({ type: 'subscribe', scopes: [scope(), { ...scope(), entity: 'parts' }] })
  const loaded = await first.hears('the rows', whole)
  const { shape, cursor } = { shape: hashIn(first.welcome), cursor: loaded['to'] }
  busy(app, 0)
  await mark(app, a, 'live')
  const sent = [
    mutation(1, write('guess', 'update', { title: 'x' })),
    mutation(2, write('guess', 'delete')),
    mutation(3, write('tmp_1', 'create', { tenant: 'B', title: 'x' })),
    mutation(4, write('mine8', 'update', { title: 'x' }), write('guess', 'update', { title: 'x' })),
    mutation(5, write('mine9', 'update', { title: 'x' })),
  ]
  for (const line of [first, await a.session('c1')]) {
    line.say({ type: 'mutate', acked: 0, mutations: sent })
    const codes = (await line.hears('results', ({ type }) => type === 'results'))['results'] as {
      status: string
    }[]
    expect(codes.map(({ status }) => status).sort()).toEqual(
      line === first
        ? ['applied', 'applied', 'rejected', 'rejected', 'rejected']
        : ['duplicate', 'duplicate', 'duplicate', 'duplicate', 'duplicate'],
    )
  }
  first.close()

  for (const [i, ask] of [
    { cursor, shape },
    // what was held was of another view, or of another table
    { cursor, shape: 'another' },
    { cursor: { ...(cursor as object), check: 1 }, marks: [cursor], shape },
    { cursor: { ...(cursor as object), epoch: 'x' }, shape },
  ].entries()) {
    busy(app, i + 1)
    if (i === 3) await app.engine.cleanup(0)
    const line = await a.session(`back${i}`)
    line.say({ type: 'subscribe', scopes: [scope(ask)] })
    const answer = await line.hears('an answer', frame => frame.type === 'reset' || whole(frame))
    if (answer.type === 'reset') {
      const { to } = (await line.hears('the repair', whole)) as unknown as { to: object }
      line.say({
        type: 'reconcile',
        entity: 'notes',
        cursor: to,
        hashes: Array.from({ length: 256 }, () => 1),
      })
      const { buckets } = (await line.hears('the buckets', ({ type }) => type === 'mismatch')) as unknown as {
        buckets: number[]
      }
      expect(buckets.length).toBe(256)
      line.say({
        type: 'reconcile',
        entity: 'notes',
        cursor: to,
        held: [
          ['guess', 1],
          ['mine7', 0],
        ],
        buckets,
      })
      const healed = await line.hears('the end', frame => whole(frame) && frame['repair'] === true)
      expect(JSON.stringify(healed)).toContain('"guess"')
    }
    await mark(app, a, `back${i}`)
  }

  // over an event stream with its own session, and in answers that end
  const stream = await a.stream('/events?stream=canonical')
  const session = await until('a session', () => /"session":"(\w+)"/.exec(stream())?.[1])
  await a.post(`/events?session=${session}`, [
    { type: 'hello', protocol: 1, client: 'sse', lead: 1, acked: 0 },
    { type: 'subscribe', scopes: [scope()] },
  ])
  await until('rows', () => stream().includes('"mine8"'))
  const polled = await a.ask('/events?stream=poll')
  const poll = /"session":"(\w+)"/.exec(polled.text)?.[1] ?? ''
  await a.post(`/events?session=${poll}`, [
    { type: 'hello', protocol: 1, client: 'poll', lead: 1, acked: 0 },
    { type: 'subscribe', scopes: [scope()] },
  ])
  for (let all = ''; !all.includes('"mine8"');)
    all += (await a.ask(`/events?stream=poll&session=${poll}`)).text
  busy(app, 6)
  await mark(app, a, 'polled')
  expectClean(a)

  // one who loses the right to see a column and the whole tenant meanwhile
  users.set('c', { id: 'c', tenant: 'B' })
  later(() => users.delete('c'))
  const c = new Ear(app, 'c')
  const before = await c.session('c')
  before.say({ type: 'subscribe', scopes: [scope()] })
  const held = await before.hears('rows', whole)
  expect(c.heard).toContain(theirs)
  before.close()
  users.set('c', { id: 'a', tenant: 'A' })
  c.heard = ''
  const after = await c.session('c')
  after.say({ type: 'subscribe', scopes: [scope({ cursor: held['to'], shape: hashIn(before.welcome) })] })
  await after.hears('a reset', ({ type }) => type === 'reset')
  const { to } = (await after.hears('the repair', whole)) as unknown as { to: object }
  after.say({
    type: 'reconcile',
    entity: 'notes',
    cursor: to,
    held: [['guess', 1]],
    buckets: [...Array(256).keys()],
  })
  await after.hears('the end', frame => whole(frame) && frame['repair'] === true)
  expectClean(c)
})

function hashIn(welcome: Frame): string {
  const { entities } = welcome as unknown as { entities: { notes: { hash: string } } }
  return entities.notes.hash
}
