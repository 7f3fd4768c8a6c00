// Every door asks who is there before it gives or takes anything, and goes on asking.
import { createServer, request as httpRequest } from 'node:http'
import { createSyncEngine, SyncConfig, SyncError } from 'syncline'
import type { User } from 'syncline'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { cleanUp, later, openDatabase, rowsOf, startApp, until, usersAndPosts } from './support/app.ts'
import type { App, AppOptions } from './support/app.ts'
import { ada, bob, guarded, hello, socket, welcomed } from './support/guarded.ts'
import { openStream, post } from './support/wire.ts'

afterEach(cleanUp)

describe('[A1] nobody gets nothing', () => {
  test('K72 each HTTP door answers 401, coded, and stores nothing', async () => {
    const app = await guarded()
    app.db.exec("INSERT INTO users VALUES (1, 'Ann', NULL)")
    const at = `${app.url}/api/sync`
    const changes = { changes: [{ id: '2', action: 'create', data: { name: 'Eve' } }] }
    for (const answer of [
      await fetch(`${at}/users`),
      await fetch(`${at}/users?since=0`, { headers: { cookie: 'sid=wrong' } }),
      await fetch(`${at}/users`, { method: 'HEAD' }),
      await fetch(`${at}/ghosts`),
      await fetch(`${at}/events`),
      await fetch(`${at}/events?stream=canonical`),
      await fetch(`${at}/events?stream=poll`),
      await fetch(`${at}/events?stream=poll&session=x`),
      await post(`${at}/users`, changes),
      await post(`${at}/events?session=x`, []),
    ]) {
      expect([answer.url, answer.status]).toEqual([answer.url, 401])
      expect(answer.headers.get('location')).toBe(null)
      const text = await answer.text()
      if (text !== '')
        expect(JSON.parse(text)).toEqual({ error: { code: 'AUTH_REQUIRED', message: 'sign in first' } })
    }
    expect(rowsOf(app.db, 'SELECT id FROM users')).toEqual([{ id: 1 }])
    // what is no data is there for everybody: the script, and whether the server lives
    expect((await fetch(`${at}/client.js`)).status).toBe(200)
    expect(await (await fetch(`${at}/health`)).json()).toEqual({ status: 'ok' })
  })

  test('K72 a WebSocket is opened to be closed 4401, with not a frame before', async () => {
    const app = await guarded()
    const { frames, closed } = socket(app)
    expect(await closed).toEqual({ code: 4401, reason: 'sign in first' })
    expect(frames).toEqual([])
    expect((await app.engine.stats()).connections).toBe(0)
  })

  test('who may not is told so: 403 and 4403', async () => {
    const authenticate = (): never => {
      throw new SyncError('FORBIDDEN', 'this account is suspended')
    }
    const app = await startApp({ authenticate })
    const answer = await fetch(`${app.url}/api/sync/users`)
    expect([answer.status, await answer.json()]).toMatchObject([403, { error: { code: 'FORBIDDEN' } }])
    expect(await socket(app).closed).toEqual({ code: 4403, reason: 'this account is suspended' })
  })

  test('a failure of the moment is no verdict: 503 and 1013, both with a pause', async () => {
    const authenticate = (): never => {
      throw new Error('the session store is away')
    }
    const app = await startApp({ authenticate })
    const answer = await fetch(`${app.url}/api/sync/users`)
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1'])
    // what went wrong is for the log alone
    expect(await answer.text()).not.toContain('session store')
    expect(await socket(app).closed).toMatchObject({
      code: 1013,
      reason: expect.stringContaining('retry_after_ms=1000'),
    })
    expect(app.logged.filter(({ level }) => level === 'error')).toHaveLength(2)
  })
})

describe('[A1] a user gets in', () => {
  test('C14 by cookie alone, over each transport; the server knows whose writes they are', async () => {
    const app = await guarded()
    const { frames } = await welcomed(app, ada)
    expect(frames[0]).toMatchObject({ type: 'welcome', user: 'ada' })
    const changes = {
      client_id: 'c',
      changes: [{ id: '1', action: 'create', mutation_id: 'm1', data: { name: 'A' } }],
    }
    const pushed = await post(`${app.url}/api/sync/users`, changes, ada)
    expect(await pushed.json()).toMatchObject({ results: [{ status: 'applied' }] })
    expect((await fetch(`${app.url}/api/sync/users`, { headers: ada })).status).toBe(200)
    const stream = await openStream(`${app.url}/api/sync/events?entities=users&since=0`, ada)
    await until('the row', () => stream.frames.length > 0)
    // another user with the same client id is another client
    const again = await post(`${app.url}/api/sync/users`, changes, bob)
    expect(await again.json()).not.toMatchObject({ results: [{ status: 'duplicate' }] })
  })

  test('what is asked about is a request of the web, whatever it came by', async () => {
    const app = await guarded()
    const routes = app.engine.routes()
    await welcomed(app, { ...ada, 'x-more': 'a' })
    await fetch(`${app.url}/api/sync/users?since=0&x=%20`, { headers: ada })
    await routes.fetch(new Request('http://127.0.0.1/api/sync/users?y=1', { headers: ada }))
    const [upgrade, get, web] = app.signedIn.asked
    expect(upgrade?.headers.get('X-More')).toBe('a')
    expect(upgrade?.url.href).toBe(`${app.url}/api/sync/ws`)
    expect(upgrade?.remoteAddress).toMatch(/127\.0\.0\.1$/)
    expect(get?.url.href).toBe(`${app.url}/api/sync/users?since=0&x=%20`)
    expect([web?.url.search, web?.headers.get('host')]).toEqual(['?y=1', '127.0.0.1'])
  })

  test('[S1] targets and hosts that are no addresses are answered too', async () => {
    const app = await guarded()
    for (const [path, host] of [
      ['/api/sync/users', 'a b'],
      ['/api/sync/users?%', '[x'],
    ] as const) {
      const status = await new Promise(resolve =>
        httpRequest({ port: app.port, path, headers: { host, ...ada } }, answer =>
          resolve(answer.resume().statusCode),
        ).end(),
      )
      expect([host, status]).toEqual([host, 200])
    }
  })

  test('what is sent before it is known who it is waits', async () => {
    let answer: (user: User) => void = () => {}
    let asked = false
    const authenticate = (): Promise<User> =>
      new Promise(resolve => {
        asked = true
        answer = resolve
      })
    const app = await startApp({ authenticate })
    const { frames } = socket(app)
    await until('a question', () => asked)
    answer({ id: 'ada' })
    await until('the welcome', () => frames.length)
    expect(frames).toMatchObject([{ type: 'welcome', user: 'ada' }])
  })
})

describe('[A3] a session of a stream belongs to whoever opened it', () => {
  async function opened(app: App, kind: 'canonical' | 'poll'): Promise<string> {
    const url = `${app.url}/api/sync/events?stream=${kind}`
    if (kind === 'poll') {
      const text = await (await fetch(url, { headers: ada })).text()
      return /"session":"(\w+)"/.exec(text)?.[1] ?? ''
    }
    const { text } = await openStream(url, ada)
    return until('the session', () => /"session":"(\w+)"/.exec(text())?.[1])
  }

  test.each(['canonical', 'poll'] as const)('%s', async kind => {
    const app = await guarded()
    const session = await opened(app, kind)
    const up = (headers: Record<string, string>) =>
      post(`${app.url}/api/sync/events?session=${session}`, [JSON.parse(hello)], headers)
    expect((await up({})).status).toBe(401)
    const other = await up(bob)
    expect([other.status, await other.json()]).toMatchObject([410, { error: { code: 'UNKNOWN_SESSION' } }])
    if (kind === 'poll') {
      const stolen = await fetch(`${app.url}/api/sync/events?stream=poll&session=${session}`, {
        headers: bob,
      })
      expect(stolen.status).toBe(410)
    }
    expect((await up(ada)).status).toBe(204)
    // signed out between two requests
    app.signedIn.users.delete('sid=ada')
    expect((await up(ada)).status).toBe(401)
  })
})

describe('[A5] X51 a sign-out', () => {
  test('closes sockets, streams and polls of that sign-in at once, and no row comes after it', async () => {
    const app = await guarded()
    const mine = await welcomed(app, ada)
    mine.send(
      JSON.stringify({
        type: 'subscribe',
        scopes: [{ entity: 'users', cursor: null, marks: [], shape: null }],
      }),
    )
    await until('the snapshot', () => mine.frames.some(({ type }) => type === 'batch'))
    const stream = await openStream(`${app.url}/api/sync/events?entities=users`, ada)
    const first = await fetch(`${app.url}/api/sync/events?stream=poll`, { headers: ada })
    const session = /"session":"(\w+)"/.exec(await first.text())?.[1]
    const waiting = fetch(`${app.url}/api/sync/events?stream=poll&session=${session}`, { headers: ada })
    const others = await welcomed(app, bob)
    await until('four connections', async () => (await app.engine.stats()).connections === 4)
    const seen = mine.frames.length
    app.signedIn.users.delete('sid=ada')
    expect(app.engine.signOut({ session: 's1' })).toBe(3)
    app.db.exec("INSERT INTO users VALUES (1, 'secret', NULL)")
    expect(await mine.closed).toEqual({ code: 4401, reason: 'signed out' })
    await stream.ended
    expect(stream.frames).toEqual([{ type: 'close', code: 4401, reason: 'signed out' }])
    // a long poll that waits is answered with the end, one that comes later with 401
    const last = await waiting
    expect(last.status === 401 || (await last.text()).includes('"code":4401')).toBe(true)
    expect(mine.frames.length).toBe(seen)
    others.send('{"type":"ping"}')
    await until('an answer', () => others.frames.some(({ type }) => type === 'pong'))
    expect(app.engine.signOut({ user: 'bob' })).toBe(1)
    expect(await others.closed).toMatchObject({ code: 4401 })
  })

  test('elsewhere is heard of by `signOuts`, until the engine is closed', async () => {
    const listeners = new Set<(who: { user?: string }) => void>()
    const app = await guarded({
      signOuts(listener) {
        listeners.add(listener)
        return () => listeners.delete(listener)
      },
    })
    const { closed } = await welcomed(app, ada)
    for (const tell of listeners) tell({ user: 'ada' })
    expect(await closed).toMatchObject({ code: 4401 })
    await app.stop()
    expect(listeners.size).toBe(0)
  })
})

describe('[A6] K71', () => {
  test('open without `authenticate` and loudly so; with it there is no warning', async () => {
    const warnings = async (options: AppOptions): Promise<string[]> =>
      (await startApp(options)).logged.filter(({ level }) => level === 'warn').map(({ message }) => message)
    expect(await warnings({})).toEqual([expect.stringMatching(/WARNING.*without authentication/)])
    expect(await warnings({ authenticate: () => null })).toEqual([])
  })

  test('in production an address of the network needs `authenticate`, or the word that it is meant', async () => {
    vi.stubEnv('NODE_ENV', 'production')
    later(() => vi.unstubAllEnvs())
    const exposed = async (options: AppOptions): Promise<string> => {
      const { engine } = await startApp(options)
      const server = createServer(engine.routes())
      later(() => server.close())
      engine.attach(server)
      return new Promise(resolve => {
        server.on('error', error => resolve(error.message))
        server.listen(0, '0.0.0.0', () => setImmediate(() => resolve('listening')))
      })
    }
    expect(await exposed({})).toContain('without authentication')
    expect(await exposed({ access: 'public' })).toBe('listening')
    expect(await exposed({ authenticate: () => null })).toBe('listening')
  })

  test('`withAuthentication` says the same, and what is no function is refused', async () => {
    const db = openDatabase(':memory:')
    db.exec(usersAndPosts)
    const authenticate = (): User => ({ id: 'ada' })
    expect(new SyncConfig(db, ['users']).withAuthentication(authenticate).options.authenticate).toBe(
      authenticate,
    )
    const wrong = { db, entities: ['users'], authenticate: true } as unknown as Parameters<
      typeof createSyncEngine
    >[0]
    await expect(createSyncEngine(wrong)).rejects.toMatchObject({ code: 'INVALID_CONFIG' })
  })
})
