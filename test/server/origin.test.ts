// Pages of other sites: refused before the 101 and before any byte of data, on every transport.
import { afterEach, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { cleanUp, startApp } from './support/app.ts'

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
