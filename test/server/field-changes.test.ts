// What changed, field by field, and what of it a user sees.
import { afterEach, describe, expect, test } from 'vitest'
import { defineEntity } from 'syncline'
import { cleanUp, until } from './support/app.ts'
import {
  base,
  pullFields,
  pushFields,
  latest,
  fieldLine,
  fieldsIn,
  nextField,
  newer,
  start,
  field,
  begun,
  distinct,
} from './support/field.ts'
import type { FieldChange } from './support/field.ts'
import { openLine, push } from './support/wire.ts'

afterEach(cleanUp)

describe('what changed', () => {
  test('[E1] [E2] T-F04 X57 K49 raw SQL that changes one column is one field', async () => {
    const app = await start()
    const { db, url } = app
    const version = await begun(app)
    db.exec("UPDATE users SET name = 'Anna', email = 'a@x' WHERE id = 1")
    const body = await pullFields(url, 'users', version)
    expect(body).toEqual({
      entity: 'users',
      version: body.changes[0]?.version,
      changes: [
        {
          entity: 'users',
          id: 1,
          entity_id: '1',
          field: 'name',
          value: 'Anna',
          action: 'update',
          version: version + 1,
          timestamp: expect.stringMatching(/^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as string,
        },
      ],
    })
    expect((await pullFields(url, 'users', body.version)).changes).toEqual([])
  })

  test('[E2] X57 K49 a push of a whole row in which one column changed is one field', async () => {
    const app = await start()
    const { url } = app
    const version = await begun(app)
    const line = await fieldLine(url, ['users'])
    await push(url, 'users', [{ id: 1, action: 'update', data: { id: 1, name: 'Ann', email: 'new@x' } }])
    expect(await nextField(line)).toMatchObject({ field: 'email', value: 'new@x' })
    const { changes } = await pullFields(url, 'users', version)
    expect(changes.map(change => change.field)).toEqual(['email'])
    expect(fieldsIn(line.frames).length).toBe(1)
  })

  test('[E1] from nothing comes the table, column by column', async () => {
    const { url } = await start()
    const whole = await pullFields(url, 'users')
    expect(
      whole.changes.map(({ field: name, value, action, version }) => [name, value, action, version]),
    ).toEqual([
      ['id', 1, 'create', 0],
      ['name', 'Ann', 'create', 0],
      ['email', 'a@x', 'create', 0],
    ])
    expect(whole.reset).toBeUndefined()
  })

  test('[E1] versions are in order, and say how far one has read', async () => {
    const app = await start()
    const { db, url } = app
    const version = await begun(app)
    db.exec("UPDATE users SET name = 'Anna' WHERE id = 1")
    db.exec("INSERT INTO users VALUES (2, 'Bob', NULL)")
    db.exec("UPDATE users SET email = 'anna@x' WHERE id = 1")
    db.exec("INSERT INTO users VALUES (3, 'gone', NULL); DELETE FROM users WHERE id = 3")
    const body = await pullFields(url, 'users', version)
    expect(
      body.changes.map(change => [change.entity_id, change.field, change.action, change.version - version]),
    ).toEqual([
      ['1', 'name', 'update', 1],
      ['2', 'id', 'create', 2],
      ['2', 'name', 'create', 2],
      ['2', 'email', 'create', 2],
      ['1', 'email', 'update', 3],
      ['3', null, 'delete', 5],
    ])
    expect(body.version).toBe(version + 5)
    // a version of another branch of the log: everything, and it says so
    const reset = await pullFields(url, 'users', 999)
    expect(reset.reset).toBe(true)
    expect(reset.changes.length).toBe(6)
  })

  test('[E1] [L9] over many pages no field is left out, whenever its row was written last', async () => {
    const { db, url } = await start()
    db.exec(
      "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i+1 FROM n WHERE i<2501) INSERT INTO users SELECT i, 'u'||i, NULL FROM n",
    )
    const { version } = await pullFields(url, 'users')
    db.exec("UPDATE users SET name = 'early' WHERE id = 1")
    db.exec("UPDATE users SET email = 'x' WHERE id > 1")
    db.exec("UPDATE users SET email = 'late' WHERE id = 1")
    const line = await openLine(url, `${base}/ws`)
    for (const batch of [false, true]) line.send({ type: 'sync', entity: 'users', since: version, batch })
    await until(
      'both answers',
      () => line.frames.filter(frame => frame.type === 'sync_complete').length === 2,
    )
    const batched = line.frames.flatMap(frame =>
      frame.type === 'field_changes' ? (frame.changes as unknown as FieldChange[]) : [],
    )
    for (const told of [(await pullFields(url, 'users', version)).changes, fieldsIn(line.frames), batched]) {
      const changes = distinct(told)
      const own = changes.filter(change => change.entity_id === '1')
      expect(changes.length).toBe(2502)
      expect(Object.fromEntries(own.map(change => [change.field, change.value]))).toEqual({
        email: 'late',
        name: 'early',
      })
    }
  })

  test('[E7] T-F06 X58 the latest fields of a row, also of one that nobody has written since', async () => {
    const { db, url } = await start()
    const baseline = [0, '1970-01-01T00:00:00.000Z']
    expect(await latest(url, 'users', 1)).toEqual({
      entity: 'users',
      id: 1,
      entity_id: '1',
      version: 0,
      fields: { id: [1, ...baseline], name: ['Ann', ...baseline], email: ['a@x', ...baseline] },
    })
    db.exec("UPDATE users SET name = 'Anna' WHERE id = 1")
    const { version, fields } = await latest(url, 'users', 1)
    expect(version).toBe(1)
    expect(fields['name']?.slice(0, 2)).toEqual(['Anna', 1])
    expect(Date.parse(String(fields['name']?.[2]))).toBeGreaterThan(Date.now() - 60_000)
    expect(fields['email']).toEqual(['a@x', ...baseline])
    expect((await fetch(`${url}${base}/users/77/latest`)).status).toBe(404)
  })

  test('X06 [S2] ids of every spelling, decoded once', async () => {
    const ids = ['a/b', 'é', '%2e', ' leading', '007', '["x"]', 'a%2Fb', '"', '?#']
    const { url } = await start({
      schema: `CREATE TABLE docs (slug TEXT PRIMARY KEY NOT NULL, title TEXT);
        CREATE TABLE marks (a TEXT NOT NULL, b INTEGER NOT NULL, note TEXT, PRIMARY KEY (a, b)) WITHOUT ROWID;`,
      entities: ['docs', 'marks'],
    })
    for (const id of ids) {
      const said = { entity_id: id, action: 'create', timestamp: newer }
      const pushed = await pushFields(url, 'docs', [
        { ...said, field: 'slug', value: id },
        { ...said, field: 'title', value: `title of ${id}` },
      ])
      expect(pushed, id).toMatchObject({ applied: 2, results: [{ entity_id: id }, { entity_id: id }] })
      expect((await latest(url, 'docs', id)).fields['title']?.[0]).toBe(`title of ${id}`)
    }
    const key = { entity_id: ['x', 1], action: 'create' }
    await pushFields(url, 'marks', [
      { ...key, field: 'a', value: 'x' },
      { ...key, field: 'b', value: 1 },
      { ...key, field: 'note', value: 'one' },
    ])
    expect(await latest(url, 'marks', '["x",1]')).toMatchObject({
      entity_id: '["x",1]',
      fields: { note: ['one', 10, expect.any(String)] },
    })
  })
})

describe('views', () => {
  const schema = `CREATE TABLE notes (id INTEGER PRIMARY KEY, team TEXT, title TEXT, secret TEXT);
    INSERT INTO notes VALUES (1, 'a', 'one', 'hush'), (2, 'b', 'two', 'hush')`
  const notes = defineEntity({
    name: 'notes',
    access: { read: () => ({ team: 'a' }), columns: () => ['team', 'title'] },
  })

  test('[V1] [V2] [V3] a row that comes into view comes as created fields, one that leaves as a delete; hidden columns never', async () => {
    const { db, url } = await start({ schema, entities: [notes] })
    db.exec("INSERT INTO notes VALUES (9, 'b', 'x', 'hush')")
    const { version, changes } = await pullFields(url, 'notes')
    expect(changes.map(change => change.field)).toEqual(['id', 'team', 'title'])
    const line = await fieldLine(url, ['notes'])
    db.exec("UPDATE notes SET secret = 'hush, hush'; UPDATE notes SET title = 'not theirs' WHERE id = 2")
    db.exec("UPDATE notes SET team = 'a' WHERE id = 2")
    db.exec("UPDATE notes SET team = 'b' WHERE id = 1")
    const expected = [
      ['2', 'id', 2, 'create'],
      ['2', 'team', 'a', 'create'],
      ['2', 'title', 'not theirs', 'create'],
      ['1', null, null, 'delete'],
    ]
    await until('the delete', () => fieldsIn(line.frames).some(change => change.action === 'delete'))
    const since = await pullFields(url, 'notes', version)
    for (const told of [fieldsIn(line.frames), since.changes])
      expect(
        told.map(({ entity_id, field: name, value, action }) => [entity_id, name, value, action]),
      ).toEqual(expected)
    expect(JSON.stringify([line.frames, since])).not.toContain('hush')
    expect((await fetch(`${url}${base}/notes/1/latest`)).status).toBe(404)
    expect(Object.keys((await latest(url, 'notes', 2)).fields)).toEqual(['id', 'team', 'title'])
  })

  test('[V3] [E1] a row that comes into view in an earlier page than it is told in is told whole', async () => {
    const { db, url } = await start({ schema, entities: [notes] })
    db.exec(
      "WITH RECURSIVE n(i) AS (SELECT 3 UNION ALL SELECT i+1 FROM n WHERE i<2502) INSERT INTO notes SELECT i, 'a', 't', 's' FROM n",
    )
    const { version } = await pullFields(url, 'notes')
    db.exec("UPDATE notes SET team = 'a' WHERE id = 2")
    db.exec("UPDATE notes SET title = 'x' WHERE id > 2")
    db.exec("UPDATE notes SET title = 'late' WHERE id = 2")
    const changes = distinct((await pullFields(url, 'notes', version)).changes)
    const entered = changes.filter(change => change.entity_id === '2')
    expect(entered.slice(-3).map(change => [change.field, change.value, change.action])).toEqual([
      ['id', 2, 'create'],
      ['team', 'a', 'create'],
      ['title', 'late', 'create'],
    ])
  })

  test('[E4] [V7] a conflict shows what its writer may see', async () => {
    const { db, url } = await start({ schema, entities: [notes], fieldSync: 'server-wins' })
    db.exec("UPDATE notes SET title = 'first'")
    const { version } = await pullFields(url, 'notes')
    db.exec("UPDATE notes SET title = 'stored', secret = 'hush!'")
    const stale = { base_version: version }
    const pushed = await pushFields(url, 'notes', [
      field('title', 'mine', stale),
      field('secret', 'mine', stale),
      field('title', 'mine', { ...stale, entity_id: '2' }),
      { entity_id: '1', action: 'delete', ...stale },
    ])
    expect(pushed.results.map(({ status, error }) => [status, error?.code])).toEqual([
      ['rejected', 'FORBIDDEN'],
      ['rejected', 'FORBIDDEN'],
      ['rejected', 'FORBIDDEN'],
      ['conflict', 'CONFLICT'],
    ])
    expect(pushed.conflict_details).toMatchObject([
      { field: null, server_value: { id: 1, team: 'a', title: 'stored' }, client_value: null },
    ])
    const alone = await pushFields(url, 'notes', [field('title', 'mine', stale)])
    expect(alone.conflict_details).toMatchObject([
      { field: 'title', server_value: 'stored', client_value: 'mine' },
    ])
    expect(JSON.stringify([pushed, alone])).not.toContain('hush')
  })
})
