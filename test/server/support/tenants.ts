// Two tenants of one server, and an ear for all that one of them is sent.
import { expect } from 'vitest'
import { defineEntity } from 'syncline'
import type { User } from 'syncline'
import { WebSocket } from 'ws'
import { later, startApp, until } from './app.ts'
import type { App } from './app.ts'

/** In every cell and id of the other tenant that the first one does not name itself. */
export const theirs = 'OTHERS'
/** In a column that the first tenant may not see, of its own rows too. */
export const hidden = 'HUSH'

export const schema = `CREATE TABLE notes (id TEXT PRIMARY KEY NOT NULL, tenant TEXT, title TEXT, body TEXT, secret TEXT);
  CREATE TABLE parts (id INTEGER PRIMARY KEY, tenant TEXT, note TEXT, text TEXT)`

export const users = new Map<string, User>([
  ['a', { id: 'a', tenant: 'A' }],
  ['b', { id: 'b', tenant: 'B' }],
])

export async function begin(): Promise<App> {
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
    fieldSync: {},
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

/** Both tenants listen by the bare protocol under one path; `last` is the event that a stream of the first came to. */
export async function listening(
  app: App,
  base?: string,
): Promise<{ readonly a: Ear; readonly b: Ear; readonly line: Line; readonly last: string }> {
  const a = new Ear(app, 'a', base)
  const b = new Ear(app, 'b', base)
  const line = await a.socket()
  line.say({ type: 'subscribe', entities: ['notes', 'parts'] })
  await line.hears('the answer', ({ type }) => type === 'subscribed')
  const text = await a.stream('/events')
  await b.stream('/events')
  await mark(app, a, 'first')
  const last = await until('an event id', () => /^id: (\d+)$/m.exec(text())?.[1])
  return { a, b, line, last }
}

/** All that one tenant is sent, whatever carries it. */
export class Ear {
  readonly who: string
  readonly app: App
  readonly base: string
  heard = ''

  constructor(app: App, who: string, base = '/api/sync') {
    this.app = app
    this.who = who
    this.base = base
  }

  async ask(path: string, init: RequestInit = {}): Promise<{ status: number; text: string }> {
    const response = await fetch(this.app.url + this.base + path, {
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
    const response = await fetch(this.app.url + this.base + path, {
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
    const ws = new WebSocket(`${this.app.url.replace('http', 'ws')}${this.base}/ws`, {
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

export type Frame = { readonly type: string; readonly [field: string]: unknown }
export interface Line {
  readonly frames: Frame[]
  say(message: object): void
  hears(what: string, fits: (frame: Frame) => boolean): Promise<Frame>
  close(): void
}

export const whole = (frame: Frame): boolean => frame.type === 'batch' && frame['to'] !== undefined
export const scope = (more: object = {}): object => ({
  entity: 'notes',
  cursor: null,
  marks: [],
  shape: null,
  ...more,
})
export const write = (id: string, action: string, data?: object): object => ({
  entity: 'notes',
  id,
  action,
  ...(data && { data }),
})
export const mutation = (n: number, ...writes: object[]): object => ({ n, base: null, stamp: null, writes })

/** The other tenant's day: rows made, changed, handed over both ways, deleted, a key moved. */
export function busy({ db }: App, round: number): void {
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
export async function mark(app: App, ear: Ear, text: string): Promise<void> {
  app.db.exec(`INSERT INTO notes VALUES ('${text}', 'A', '${text}', 'b', '${hidden}')`)
  await until(text, () => ear.heard.includes(`"${text}"`))
}

export function expectClean({ heard }: Ear): void {
  const found = heard.search(new RegExp(`${theirs}|${hidden}`))
  expect(found === -1 ? '' : heard.slice(Math.max(0, found - 200), found + 100)).toBe('')
}

export function hashIn(welcome: Frame): string {
  const { entities } = welcome as unknown as { entities: { notes: { hash: string } } }
  return entities.notes.hash
}
