// Clients without cookies, by our client.
import { createClient, tokenTransports } from 'syncline/client'
import { afterEach, describe, expect, test } from 'vitest'
import { cleanUp, later, rowsOf, startApp, until } from './support/app.ts'

afterEach(cleanUp)

describe('a client that is no browser', () => {
  test.each([0, 1])(
    '[A1] brings a token in a header, over transport %i, a fresh one each time',
    async index => {
      const tokens = new Set(['t1'])
      let asked = 0
      const app = await startApp({
        authenticate({ headers }) {
          const token = headers.get('authorization')?.replace('Bearer ', '') ?? ''
          return tokens.has(token) ? { id: 'robot', session: token } : null
        },
      })
      const transport = tokenTransports(`${app.url}/api/sync`, async () => {
        asked += 1
        return [...tokens].at(-1) ?? ''
      })[index]
      if (transport === undefined) throw new Error('no transport')
      const client = createClient({ url: app.url, entities: ['users'], transports: [transport] })
      later(() => client.close())
      await until('a connection', () => client.status().state === 'ready')
      expect(client.status().user).toBe('robot')
      const { id } = await client.create('users', { name: 'R2' }).confirmed
      expect(rowsOf(app.db, 'SELECT name FROM users')).toEqual([{ name: 'R2' }])
      tokens.delete('t1')
      app.engine.signOut({ session: 't1' })
      await until('the end', () => client.status().state === 'stopped')
      tokens.add('t2')
      const before = asked
      client.connect()
      await client.update('users', id, { name: 'D2' }).confirmed
      expect(asked).toBeGreaterThan(before)
    },
  )
})
