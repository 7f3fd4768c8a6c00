// Who sees what is on record of values that did not survive, and what they may do about it.
import { afterEach, describe, expect, test } from 'vitest'
import { defineEntity } from 'syncline'
import type { Row } from 'syncline'
import { cleanUp, rowsOf, startApp } from './support/app.ts'
import type { App } from './support/app.ts'

afterEach(cleanUp)

const schema = `CREATE TABLE notes (id TEXT PRIMARY KEY NOT NULL, team TEXT, title TEXT, body TEXT, secret TEXT);
  INSERT INTO notes VALUES ('a', 'x', 'first', 'first', 's')`

const records = ({ db }: App): Row[] => rowsOf(db, 'SELECT * FROM _syncline_conflicts') as Row[]

describe('[I3] who sees a record', () => {
  const notes = defineEntity({
    name: 'notes',
    strategy: 'keep-both',
    access: {
      read: ({ team }) => (typeof team === 'string' ? { team } : false),
      columns: ({ id }) => (id === 'boss' ? ['team', 'title', 'secret'] : ['team', 'title', 'body']),
    },
  })
  const teams: Record<string, string> = { ada: 'x', bob: 'x', boss: 'x', eve: 'y' }
  const guarded = (): Promise<App> =>
    startApp({
      schema,
      grain: 'field',
      entities: [notes],
      authenticate: ({ headers }) => {
        const id = headers.get('x-user') ?? ''
        return teams[id] === undefined ? null : { id, team: teams[id] }
      },
    })

  async function seen(app: App, user: string): Promise<unknown[]> {
    const headers = { 'x-user': user }
    const answer = await fetch(`${app.url}/api/sync/syncline_conflicts?since=0`, { headers })
    const { changes } = (await answer.json()) as { changes: { data: Row }[] }
    return changes.map(({ data }) => data)
  }

  async function push(app: App, user: string, data: object, base_version: number): Promise<void> {
    await fetch(`${app.url}/api/sync/notes`, {
      method: 'POST',
      headers: { 'x-user': user, 'content-type': 'application/json' },
      body: JSON.stringify({
        client_id: `device-of-${user}`,
        changes: [{ id: 'a', action: 'update', data, base_version }],
      }),
    })
  }

  test('the two who wrote, where not everybody sees the row; nobody sees columns that are not theirs', async () => {
    const app = await guarded()
    const { head } = await app.engine.stats()
    app.db.exec("UPDATE notes SET body = 'server', secret = 'server' WHERE id = 'a'")
    await push(app, 'ada', { body: 'ada' }, head)
    await push(app, 'boss', { secret: 'boss' }, head)
    expect(records(app)).toHaveLength(2)
    expect(await seen(app, 'ada')).toMatchObject([{ field: 'body', mine: 'ada', theirs: 'server' }])
    expect(await seen(app, 'boss')).toMatchObject([{ field: 'secret', mine: 'boss' }])
    expect(await seen(app, 'bob')).toEqual([])
    expect(await seen(app, 'eve')).toEqual([])
    expect(JSON.stringify([await seen(app, 'ada'), await seen(app, 'boss')])).not.toContain('device-of')
  })

  test('a record is settled by those who see it, and by nothing else than that', async () => {
    const app = await guarded()
    const { head } = await app.engine.stats()
    app.db.exec("UPDATE notes SET title = 'server' WHERE id = 'a'")
    await push(app, 'ada', { title: 'ada' }, head)
    const id = records(app)[0]?.['id']
    const settle = async (user: string, data: object, action = 'update'): Promise<unknown> => {
      const answer = await fetch(`${app.url}/api/sync/syncline_conflicts`, {
        method: 'POST',
        headers: { 'x-user': user, 'content-type': 'application/json' },
        body: JSON.stringify({ changes: [{ id, action, data }] }),
      })
      return ((await answer.json()) as { results: { status: string }[] }).results[0]?.status
    }
    expect(await settle('eve', { status: 'resolved' })).toBe('rejected')
    expect(await settle('ada', { mine: 'other', status: 'resolved' })).toBe('rejected')
    expect(await settle('ada', { status: 'open' })).toBe('rejected')
    expect(await settle('ada', {}, 'delete')).toBe('rejected')
    expect(records(app)).toMatchObject([{ status: 'open' }])
    expect(await settle('ada', { status: 'resolved' })).toBe('applied')
    expect(records(app)).toMatchObject([{ status: 'resolved', resolved_by: 'ada' }])
  })
})
