// The conflict strategies of `DifferentialSyncClient`: who wins, which the server says, and how an edit looks until then.
import { afterEach, describe, expect, test } from 'vitest'
import { cleanUp, rowsOf, until } from './support/app.ts'
import { connected, rig, settled, startTables } from './support/differential.ts'

afterEach(cleanUp)

describe('T-D24 a race on one field ends as the strategy says', () => {
  const cases = [
    [undefined, undefined, 'second'],
    ['last-write-wins', 'last-write-wins', 'second'],
    ['client-wins', 'client-wins', 'second'],
    ['server-wins', 'server-wins', 'first'],
    ['manual', 'keep-both', 'first'],
  ] as const
  for (const [conflictResolution, strategy, winner] of cases) {
    test(String(conflictResolution), async () => {
      const app = await startTables(strategy === undefined ? {} : { strategy })
      app.db.exec("INSERT INTO users (id, status) VALUES ('u', 'before')")
      const option = conflictResolution === undefined ? {} : { conflictResolution }
      const [one, two] = [await connected(app.url, option), await connected(app.url, option)]
      await Promise.all([one, two].map(({ client }) => client.requestSync('users')))
      one.client.updateLocalState({ u: { status: 'first' } }, 'users')
      await settled(one)
      two.client.updateLocalState({ u: { status: 'second' } }, 'users')
      await settled(two)
      expect(rowsOf(app.db, 'SELECT * FROM users')).toMatchObject([{ status: winner }])
      await one.client.requestSync('users')
      for (const { client } of [one, two])
        expect(client.getLocalState('users')['u']).toMatchObject({ status: winner })
    })
  }
})

describe('[R5] T-D24 until the server has said, a pending edit looks as the option says', () => {
  const cases = [
    [undefined, 'mine'],
    ['last-write-wins', 'mine'],
    ['last_write_wins', 'mine'],
    ['client-wins', 'mine'],
    ['merge', 'mine'],
    ['manual', 'mine'],
    ['server-wins', 'theirs'],
    ['first_write_wins', 'theirs'],
  ] as const
  test.each(cases)('%s: %s', async (conflictResolution, shown) => {
    const app = await startTables({ grain: 'field' })
    app.db.exec("INSERT INTO users (id, status, email) VALUES ('u', 'before', 'old')")
    let isHeld = true
    const it = await connected(
      app.url,
      conflictResolution === undefined ? {} : { conflictResolution },
      text => isHeld && text.startsWith('{"type":"mutate"'),
    )
    await it.client.requestSync('users')
    it.client.updateLocalState({ u: { status: 'mine' } }, 'users')
    await until('what is held', () => it.up.some(text => text.startsWith('{"type":"mutate"')))
    app.db.exec("UPDATE users SET status = 'theirs', email = 'new'")
    await it.client.requestSync('users')
    expect(it.client.getLocalState('users')['u']).toMatchObject({ status: shown, email: 'new' })
    expect(it.client.getSyncStatus().pendingChanges).toBe(1)
    // whatever it looked like, the server decides
    isHeld = false
    await it.client.disconnect()
    await it.client.connect()
    await settled(it)
    await it.client.requestSync('users')
    expect(it.client.getLocalState('users')).toMatchObject({ u: rowsOf(app.db, 'SELECT * FROM users')[0] })
  })

  test('of no other word', () => {
    // @ts-expect-error there is no such strategy
    expect(() => rig('ws://x', { conflictResolution: 'newest' })).toThrow(/conflictResolution/)
  })
})
