// Better Auth itself, with its tables beside the synced ones: the cookie that it sets is all that a connection needs, and
// whatever ends a session there ends the connections here.
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import path from 'node:path'
import { betterAuth } from 'better-auth'
import { getMigrations } from 'better-auth/db/migration'
import { toNodeHandler } from 'better-auth/node'
import { createSyncEngine } from 'syncline'
import type { SignOut, SyncEngine } from 'syncline'
import { betterAuth as fromBetterAuth, syncline } from 'syncline/better-auth'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { cleanUp, closeServer, folder, later, listen, until } from './support/app.ts'
import { addressOf, runModule } from './support/process.ts'

afterEach(cleanUp)

function authOver(database: DatabaseSync, plugins: ReturnType<typeof syncline>[]) {
  return betterAuth({
    database,
    secret: 'a secret of a test, which guards nothing: 7f3c9e1b5d2a8046',
    baseURL: 'http://localhost',
    trustedOrigins: ['http://localhost:*'],
    logger: { disabled: true },
    telemetry: { enabled: false },
    emailAndPassword: { enabled: true },
    // the trap: with it a revoked session would pass for five minutes
    session: { cookieCache: { enabled: true, maxAge: 300 } },
    user: { deleteUser: { enabled: true } },
    plugins,
  })
}

interface Site {
  readonly url: string
  readonly engine: SyncEngine
  readonly auth: ReturnType<typeof authOver>
  readonly database: DatabaseSync
}

async function site(plugins = [syncline()]): Promise<Site> {
  const database = new DatabaseSync(':memory:')
  database.exec('CREATE TABLE todos (id INTEGER PRIMARY KEY, title TEXT)')
  const auth = authOver(database, plugins)
  await (await getMigrations(auth.options)).runMigrations()
  const quiet = { debug() {}, info() {}, warn() {}, error() {} }
  const engine = await createSyncEngine({
    db: database,
    entities: ['todos'],
    logger: quiet,
    ...fromBetterAuth(auth, { claims: ({ session }) => ({ agent: session.userAgent }) }),
  })
  const sync = engine.routes()
  const authRoutes = toNodeHandler(auth)
  const server = createServer((request, response) =>
    sync(request, response, () => void authRoutes(request, response)),
  )
  engine.attach(server)
  const url = `http://localhost:${await listen(server)}`
  later(() => database.close())
  later(() => closeServer(server))
  later(() => engine.close())
  return { url, engine, auth, database }
}

/** A browser's jar: what was set goes along. */
class Browser {
  readonly #url: string
  readonly #cookies = new Map<string, string>()

  constructor({ url }: Pick<Site, 'url'>) {
    this.#url = url
  }

  get cookie(): string {
    return Array.from(this.#cookies, pair => pair.join('=')).join('; ')
  }

  async ask(path: string, body?: object): Promise<Response> {
    const answer = await fetch(`${this.#url}/api/${path}`, {
      headers: { cookie: this.cookie, origin: this.#url, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
    })
    for (const cookie of answer.headers.getSetCookie()) {
      const [name = '', value = ''] = cookie.split(';')[0]?.split(/=(.*)/s) ?? []
      if (value === '' || /max-age=0/i.test(cookie)) this.#cookies.delete(name)
      else this.#cookies.set(name, value)
    }
    return answer
  }

  async signUp(name: string): Promise<void> {
    const answer = await this.ask('auth/sign-up/email', {
      name,
      email: `${name}@example.com`,
      password: 'correct horse',
    })
    expect(answer.status).toBe(200)
  }

  async signIn(name: string): Promise<void> {
    const answer = await this.ask('auth/sign-in/email', {
      email: `${name}@example.com`,
      password: 'correct horse',
    })
    expect(answer.status).toBe(200)
  }

  /** A socket as a page opens it. `welcome` waits when asked only: one that is refused gets none. */
  async connect(): Promise<{ closed: Promise<number>; welcome: () => Promise<Record<string, unknown>> }> {
    const headers = { cookie: this.cookie, origin: this.#url }
    const socket = new WebSocket(`${this.#url.replace('http', 'ws')}/api/sync/ws`, { headers })
    later(() => socket.terminate())
    const hello = { type: 'hello', protocol: 1, client: 'c1', lead: 1, acked: 0 }
    socket.on('open', () => socket.send(JSON.stringify(hello)))
    const frames: Record<string, unknown>[] = []
    socket.on(
      'message',
      (data: Buffer) => void frames.push(JSON.parse(data.toString()) as Record<string, unknown>),
    )
    const closed = new Promise<number>(resolve => socket.on('close', resolve))
    return { closed, welcome: () => until('a welcome', () => frames[0]) }
  }
}

const idOf = (database: DatabaseSync, name: string): unknown =>
  database.prepare('SELECT id FROM user WHERE email = ?').get(`${name}@example.com`)?.['id']

test('T-A01 C14 C41 C49 K71 [A1] the session cookie alone lets a socket in, and the server knows the user', async () => {
  const on = await site()
  const ada = new Browser(on)
  expect(await (await ada.connect()).closed).toBe(4401)
  expect((await ada.ask('sync/todos')).status).toBe(401)
  await ada.signUp('ada')
  const { welcome } = await ada.connect()
  expect(await welcome()).toMatchObject({ type: 'welcome', user: idOf(on.database, 'ada') })
  expect((await ada.ask('sync/todos')).status).toBe(200)
})

test('[A1] T-A02 a user is what Better Auth says, its sign-in, and no secret', async () => {
  const on = await site()
  const ada = new Browser(on)
  await ada.signUp('ada')
  const { authenticate } = fromBetterAuth(on.auth)
  const request = { headers: new Headers({ cookie: ada.cookie }), url: new URL(on.url) }
  const user = await authenticate(request)
  const session = on.database.prepare('SELECT * FROM session').get()
  expect(user).toMatchObject({ id: idOf(on.database, 'ada'), name: 'ada', session: session?.['id'] })
  expect(user?.expiresAt).toBeInstanceOf(Date)
  expect(JSON.stringify(user)).not.toContain(session?.['token'])
  expect(await authenticate({ ...request, headers: new Headers() })).toBe(null)
  const forged = new Headers({ cookie: ada.cookie.replaceAll(/session_token=\w{4}/g, 'session_token=0000') })
  expect(await authenticate({ ...request, headers: forged })).toBe(null)
})

test('[A4] X51 a session that was deleted behind the back of Better Auth is nobody, whatever its cached cookie says', async () => {
  const on = await site()
  const ada = new Browser(on)
  await ada.signUp('ada')
  expect(ada.cookie).toContain('session_data')
  on.database.exec('DELETE FROM session')
  // Better Auth itself would still take the cookie's word for it
  expect(await on.auth.api.getSession({ headers: new Headers({ cookie: ada.cookie }) })).not.toBe(null)
  expect((await ada.ask('sync/todos')).status).toBe(401)
  expect(await (await ada.connect()).closed).toBe(4401)
})

test('[A4] asking does not prolong a session', async () => {
  const on = await site()
  const ada = new Browser(on)
  await ada.signUp('ada')
  const soon = new Date(Date.now() + 3_600_000).toISOString()
  on.database.prepare('UPDATE session SET expiresAt = ?').run(soon)
  expect((await ada.ask('sync/todos')).status).toBe(200)
  expect(on.database.prepare('SELECT expiresAt FROM session').get()?.['expiresAt']).toBe(soon)
})

describe('[A5] X51 connections end at once', () => {
  /** Ada on her phone and on her laptop, and Bob. */
  async function three() {
    const on = await site()
    const [phone, laptop, other] = [new Browser(on), new Browser(on), new Browser(on)]
    await phone.signUp('ada')
    await laptop.signIn('ada')
    await other.signUp('bob')
    const [onPhone, onLaptop, bobs] = [await phone.connect(), await laptop.connect(), await other.connect()]
    await Promise.all([onPhone.welcome(), onLaptop.welcome(), bobs.welcome()])
    const left = async (): Promise<number> => (await on.engine.stats()).connections
    expect(await left()).toBe(3)
    return { on, phone, laptop, onPhone, onLaptop, bobs, left }
  }

  test('at a sign-out, those of this sign-in', async () => {
    const { phone, onPhone, left } = await three()
    await phone.ask('auth/sign-out', {})
    expect(await onPhone.closed).toBe(4401)
    expect(await left()).toBe(2)
    expect(await (await phone.connect()).closed).toBe(4401)
  })

  test('when another device revokes one, the others, or all', async () => {
    const { on, phone, laptop, onPhone, onLaptop, left } = await three()
    const sessions = (await (await laptop.ask('auth/list-sessions')).json()) as { token: string }[]
    const token = sessions.find(session => !laptop.cookie.includes(session.token))?.token
    await laptop.ask('auth/revoke-session', { token })
    expect(await onPhone.closed).toBe(4401)
    expect(await left()).toBe(2)
    await phone.signIn('ada')
    const back = await phone.connect()
    await back.welcome()
    await phone.ask('auth/revoke-other-sessions', {})
    expect(await onLaptop.closed).toBe(4401)
    expect(await left()).toBe(2)
    await phone.ask('auth/revoke-sessions', {})
    expect(await back.closed).toBe(4401)
    expect(await left()).toBe(1)
    expect(on.database.prepare('SELECT count(*) AS n FROM session').get()).toMatchObject({ n: 1 })
  })

  test('when the user is deleted', async () => {
    const { phone, onPhone, onLaptop, left } = await three()
    expect((await phone.ask('auth/delete-user', { password: 'correct horse' })).status).toBe(200)
    expect(await Promise.all([onPhone.closed, onLaptop.closed])).toEqual([4401, 4401])
    expect(await left()).toBe(1)
  })
})

test('[A5] a deleted user is told of also where no session is: Better Auth may keep those elsewhere, without hooks', async () => {
  const plugin = syncline()
  const told: SignOut[] = []
  plugin.signOuts(who => told.push(who))
  await plugin.init().options.databaseHooks.user.delete.after({ id: 'ada' })
  expect(told).toEqual([{ user: 'ada' }])
})

test('without the plugin nobody tells of sign-outs, and the re-check does', async () => {
  const on = await site([])
  expect(fromBetterAuth(on.auth)).not.toHaveProperty('signOuts')
})

test('T-A01 the server of the guide, as it stands there', async () => {
  const guide = readFileSync(path.resolve(import.meta.dirname, '../../docs/guides/authentication.md'), 'utf8')
  const [, code = ''] = /`server.mjs`[^`]*```js\n(.*?)```/s.exec(guide) ?? []
  expect(code).toContain('fromBetterAuth')
  const file = path.join(folder(), 'app.db')
  const listening =
    "server.listen(0, '127.0.0.1', () => console.log('listening on http://localhost:' + server.address().port))"
  const here = code
    .replace("'app.db'", JSON.stringify(file))
    .replace("server.listen(3000, '127.0.0.1')", listening)
  const secret = { BETTER_AUTH_SECRET: 'a secret of a test, which guards nothing: 7f3c9e1b5d2a8046' }
  const url = await addressOf(runModule(here, [], secret))
  const ada = new Browser({ url })
  expect((await ada.ask('sync/todos')).status).toBe(401)
  await ada.signUp('ada')
  const { welcome, closed } = await ada.connect()
  expect(await welcome()).toMatchObject({ type: 'welcome' })
  await ada.ask('auth/sign-out', {})
  expect(await closed).toBe(4401)
})
