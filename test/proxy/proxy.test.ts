// The settings of docs/guides/deploying.md, at work.
import { once } from 'node:events'
import { connect } from 'node:http2'
import { afterEach, describe, expect, test } from 'vitest'
import { cleanUp, later, until } from '../server/support/app.ts'
import type { App } from '../server/support/app.ts'
import { ada, guarded, socket } from '../server/support/guarded.ts'
import { openStream, post } from '../server/support/wire.ts'
import { proxies, startProxy } from './proxy.ts'
import type { Proxy } from './proxy.ts'

afterEach(cleanUp)

// reason: the keys of the object, which TypeScript widens
const names = Object.keys(proxies) as (keyof typeof proxies)[]

const subscribe = { type: 'subscribe', scopes: [{ entity: 'users', cursor: null, marks: [], shape: null }] }
const write = ({ db }: App, id: number, name: string) =>
  db.exec(`INSERT INTO users VALUES (${id}, '${name}', NULL)`)

describe.each(names)('%s', name => {
  async function behind(): Promise<{
    app: Awaited<ReturnType<typeof guarded>>
    proxy: Proxy
    page: Record<string, string>
  }> {
    const app = await guarded()
    const proxy = await startProxy(name, app.port)
    return { app, proxy, page: { ...ada, origin: proxy.url } }
  }

  test('[K11] [A2] a change comes live over WebSocket, to a page of the public origin', async () => {
    const { app, proxy, page } = await behind()
    const line = socket({ ...app, url: proxy.url }, page)
    await until('a welcome', () => line.frames.some(({ type }) => type === 'welcome'))
    line.send(JSON.stringify(subscribe))
    await until('the snapshot', () => line.frames.some(({ type }) => type === 'batch'))
    write(app, 1, 'Grace')
    await until('the change', () => line.frames.some(frame => JSON.stringify(frame).includes('Grace')))
  })

  test('[A1] [A2] a foreign page gets no WebSocket, and nobody only a close code', async () => {
    const { app, proxy } = await behind()
    const through = { ...app, url: proxy.url }
    await expect(socket(through, { ...ada, origin: 'https://evil.example' }).closed).rejects.toThrow('403')
    expect((await socket(through, { origin: proxy.url }).closed).code).toBe(4401)
  })

  test('X44 [K11] an event stream is not held back: each change comes before the next is made', async () => {
    const { app, proxy, page } = await behind()
    const stream = await openStream(`${proxy.url}/api/sync/events?entities=users`, page)
    expect(stream.response.headers.get('content-encoding')).toBeNull()
    for (const id of [1, 2, 3]) {
      write(app, id, `Grace ${id}`)
      await until(`change ${id}`, () => stream.frames.filter(({ type }) => type === 'change').length === id)
    }
  })

  test('X44 nor is one over HTTP/2', async () => {
    const { app, proxy, page } = await behind()
    const session = connect(proxy.url)
    later(() => session.destroy())
    const request = session.request({
      ...page,
      ':path': '/api/sync/events?entities=users',
      'accept-encoding': 'gzip',
    })
    let text = ''
    request.setEncoding('utf8').on('data', (part: string) => (text += part))
    const [head] = await once(request, 'response')
    expect(head).toMatchObject({ ':status': 200 })
    await until('the head of the stream', () => text.includes('retry:'))
    for (const id of [1, 2, 3]) {
      write(app, id, `Grace ${id}`)
      await until(`change ${id}`, () => text.includes(`Grace ${id}`))
    }
    expect(app.signedIn.asked.at(-1)?.headers.get('host')).toBe(`localhost:${proxy.port}`)
  })

  test('a long poll is answered when there is something', async () => {
    const { app, proxy, page } = await behind()
    const poll = async (session: string): Promise<string> => {
      const address = `${proxy.url}/api/sync/events?stream=poll&session=${session}`
      return (await fetch(address, { headers: page })).text()
    }
    const [, session = ''] = /"session":"(\w+)"/.exec(await poll('')) ?? []
    const hello = { type: 'hello', protocol: 1, client: 'c1', lead: 1, acked: 0 }
    const up = await post(`${proxy.url}/api/sync/events?session=${session}`, [hello, subscribe], page)
    expect(up.status).toBe(204)
    let text = ''
    const ask = async (): Promise<void> => void (text += await poll(session))
    while (!text.includes('"batch"')) await ask()
    write(app, 1, 'Grace')
    while (!text.includes('Grace')) await ask()
  })

  test('[A2] a POST of the public origin is taken, one of a foreign page is not', async () => {
    const { app, proxy, page } = await behind()
    const body = { changes: [{ action: 'create', data: { name: 'Grace' } }] }
    const own = await post(`${proxy.url}/api/sync/users`, body, page)
    expect(own.status).toBe(200)
    expect(await own.json()).toMatchObject({ results: [{ status: 'applied' }] })
    const foreign = await post(`${proxy.url}/api/sync/users`, body, {
      ...ada,
      origin: 'https://evil.example',
    })
    expect(foreign.status).toBe(403)
    expect(app.db.prepare('SELECT count(*) AS n FROM users').get()).toEqual({ n: 1 })
  })

  test('the application hears the name that was asked for and the address it came from, and no forged one', async () => {
    const { app, proxy, page } = await behind()
    const forged = { 'x-forwarded-for': '192.0.2.66', 'x-forwarded-proto': 'gopher' }
    expect((await fetch(`${proxy.url}/api/sync/users`, { headers: { ...page, ...forged } })).status).toBe(200)
    const asked = app.signedIn.asked.at(-1)
    expect(asked?.remoteAddress).toBe('127.0.0.1')
    expect(asked?.url.href).toBe(`http://localhost:${proxy.port}/api/sync/users`)
    expect(asked?.headers.get('x-forwarded-for')).toBe('127.0.0.1')
    expect(asked?.headers.get('x-forwarded-proto')).toBe('https')
    expect(asked?.headers.get('cookie')).toBe(page['cookie'])
  })

  test('without TLS one is sent to where it is; the script comes compressed, once', async () => {
    const { proxy } = await behind()
    const plain = await fetch(`${proxy.plain}/a?b=c`, { redirect: 'manual' })
    expect([301, 308]).toContain(plain.status)
    expect(plain.headers.get('location')).toMatch(/^https:\/\/localhost(:\d+)?\/a\?b=c$/)
    const script = await fetch(`${proxy.url}/api/sync/client.js`)
    expect(script.headers.get('content-encoding')).toBe('gzip')
    expect(await script.text()).toContain('rhtmxSync')
  })
})
