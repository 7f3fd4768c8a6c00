// Pages of other sites: refused before the 101 and before any byte of data, on every transport.
import { request as httpRequest } from 'node:http'
import { afterEach, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { cleanUp, startApp } from './support/app.ts'
import type { App } from './support/app.ts'
import { ada, guarded, socket } from './support/guarded.ts'
import { post } from './support/wire.ts'

afterEach(cleanUp)

/** The HTTP status of a refused upgrade, or 101. */
function upgradeStatus(url: string, origin?: string): Promise<number> {
  const socket = new WebSocket(url, origin === undefined ? {} : { origin })
  return new Promise((resolve, reject) => {
    socket.on('open', () => {
      socket.close()
      resolve(101)
    })
    socket.on('unexpected-response', (_request, response) => resolve(response.statusCode ?? 0))
    socket.on('error', reject)
  })
}

test('[S2] another site gets no socket, no stream, no rows and stores nothing; the own one and none get all', async () => {
  const app = await startApp({ origins: ['https://partner.example'] })
  const own = `http://127.0.0.1:${app.port}`
  const socket = `${app.url.replace('http', 'ws')}/api/sync/ws`
  expect(await upgradeStatus(socket, 'https://evil.example')).toBe(403)
  expect(await upgradeStatus(socket, own)).toBe(101)
  expect(await upgradeStatus(socket, 'https://partner.example')).toBe(101)
  expect(await upgradeStatus(socket)).toBe(101)

  const as = (origin: string): Record<string, string> => ({ origin, 'content-type': 'application/json' })
  const body = JSON.stringify({ changes: [{ id: '1', action: 'create', data: { name: 'Eve' } }] })
  const evil = as('https://evil.example')
  for (const answer of [
    await fetch(`${app.url}/api/sync/users`, { method: 'POST', headers: evil, body }),
    await fetch(`${app.url}/api/sync/users`, { headers: evil }),
    await fetch(`${app.url}/api/sync/events`, { headers: evil }),
  ]) {
    expect(answer.status).toBe(403)
    expect(await answer.json()).toMatchObject({ error: { code: 'FORBIDDEN' } })
  }
  expect((await fetch(`${app.url}/api/sync/users`, { method: 'POST', headers: as(own), body })).status).toBe(
    200,
  )
  const { changes } = (await (await fetch(`${app.url}/api/sync/users`)).json()) as { changes: unknown[] }
  expect(changes).toHaveLength(1)
})

describe('[A2] X50', () => {
  test('a foreign page is refused before anybody is asked who it is', async () => {
    const app = await guarded()
    const evil = { ...ada, origin: 'https://evil.example' }
    await expect(socket(app, evil).closed).rejects.toThrow('403')
    for (const answer of [
      await fetch(`${app.url}/api/sync/users`, { headers: evil }),
      await post(`${app.url}/api/sync/users`, { changes: [] }, evil),
      await fetch(`${app.url}/api/sync/users`, {
        method: 'OPTIONS',
        headers: { ...evil, 'access-control-request-method': 'POST' },
      }),
    ]) {
      expect(answer.status).toBe(403)
      expect([...answer.headers.keys()].filter(name => name.startsWith('access-control'))).toEqual([])
    }
    expect(app.signedIn.asked).toEqual([])
  })

  test('a form of another page cannot write: only JSON is taken', async () => {
    const app = await guarded()
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      '',
    ])
      for (const path of ['users', 'events?session=x']) {
        const answer = await fetch(`${app.url}/api/sync/${path}`, {
          method: 'POST',
          headers: { ...ada, ...(type === '' ? {} : { 'content-type': type }) },
          body: new TextEncoder().encode('{"changes":[]}'),
        })
        expect([path, type, answer.status]).toEqual([path, type, path === 'users' ? 415 : 410])
      }
  })

  test('a page of an origin that is allowed by name may read with its cookies, errors too', async () => {
    const app = await guarded({ origins: ['https://www.example'] })
    const headers = { ...ada, origin: 'https://www.example' }
    const asked = await fetch(`${app.url}/api/sync/users`, {
      method: 'OPTIONS',
      headers: { origin: 'https://www.example', 'access-control-request-method': 'POST' },
    })
    expect([asked.status, asked.headers.get('access-control-allow-headers')]).toEqual([
      204,
      'authorization, content-type, last-event-id',
    ])
    for (const [answer, status] of [
      [await fetch(`${app.url}/api/sync/users`, { headers }), 200],
      [await fetch(`${app.url}/api/sync/users`, { headers: { origin: headers.origin } }), 401],
    ] as const) {
      expect(answer.status).toBe(status)
      expect(answer.headers.get('access-control-allow-origin')).toBe('https://www.example')
      expect(answer.headers.get('access-control-allow-credentials')).toBe('true')
    }
  })

  test('without authentication a name that points here from elsewhere is refused, on each transport', async () => {
    const evil = { host: 'evil.example:3000', origin: 'http://evil.example:3000' }
    const ask = (app: App) =>
      new Promise(resolve =>
        httpRequest({ port: app.port, path: '/api/sync/users', headers: evil }, answer =>
          resolve(answer.resume().statusCode),
        ).end(),
      )
    const app = await startApp()
    expect(await ask(app)).toBe(403)
    await expect(socket(app, evil).closed).rejects.toThrow('403')
    expect(await ask(await startApp({ hosts: ['evil.example'] }))).toBe(200)
    expect(await ask(await startApp({ access: 'public' }))).toBe(200)
  })
})
