// Fields over WebSocket and event streams, beside clients of rows.
import { afterEach, describe, expect, test } from 'vitest'
import { cleanUp, rowsOf, until } from './support/app.ts'
import { base, pushFields, fieldLine, fieldsIn, nextField, start, field } from './support/field.ts'
import { openSession, update } from './support/session.ts'
import { changesIn, isType, openLine, openStream, subscribed } from './support/wire.ts'

afterEach(cleanUp)

describe('WebSocket', () => {
  const seed =
    '{"type": "push_fields","entity": "users","entity_id": "1","fields": [{"field": "name", "value": "Alice", "action": "update", "timestamp": "2024-01-01T12:00:00Z"}]}'

  test('T-F07 B112 B113 B114 the documented push_fields is acknowledged, and another client gets field_change', async () => {
    const { db, url } = await start()
    const other = await fieldLine(url, ['users'])
    const line = await openLine(url, `${base}/ws`)
    line.send(seed)
    const ack = await line.next(isType('push_ack'))
    expect(ack).toEqual({
      type: 'push_ack',
      entity: 'users',
      id: 1,
      entity_id: '1',
      status: 'applied',
      version: 1,
      applied: 1,
      conflicts: 0,
      duplicates: 0,
      rejected: 0,
    })
    const change = await nextField(other)
    expect(change).toMatchObject({
      entity: 'users',
      entity_id: '1',
      field: 'name',
      value: 'Alice',
      version: 1,
    })
    expect(change.timestamp).toBe('2024-01-01T12:00:00.000Z')
    // the same old edit meets what was written since
    db.exec("UPDATE users SET name = 'Anna' WHERE id = 1")
    line.send(seed)
    expect(await line.next(isType('push_ack'))).toMatchObject({
      applied: 0,
      conflicts: 1,
      status: 'conflict',
      conflict_details: [
        {
          entity_id: '1',
          field: 'name',
          server_value: 'Anna',
          client_value: 'Alice',
          client_timestamp: '2024-01-01T12:00:00.000Z',
        },
      ],
    })
  })

  test('subscribe, sync and ping are those of the bare protocol', async () => {
    const { db, url } = await start()
    const line = await openLine(url, `${base}/ws`)
    line.send({ type: 'subscribe', entities: ['users', 'ghosts'] })
    expect(await line.next(isType('error'))).toMatchObject({ code: 'UNKNOWN_ENTITY', re: 'subscribe' })
    expect(await line.next(isType('subscribed'))).toMatchObject({ entities: ['users'], version: 0 })
    line.send({ type: 'ping' })
    await line.next(isType('pong'))
    db.exec("UPDATE users SET name = 'x' WHERE id = 1; INSERT INTO posts VALUES (1, 1, 'unheard')")
    db.exec('DELETE FROM users WHERE id = 1')
    await until('the delete', () => fieldsIn(line.frames).some(change => change.action === 'delete'))
    expect(changesIn(line.frames)).toEqual([])
    line.send({ type: 'sync', entity: 'users', since: 0 })
    expect(await line.next(isType('sync_complete'))).toMatchObject({ entity: 'users', version: 3 })
    line.send({
      type: 'push_fields',
      entity: 'users',
      entity_id: 1,
      fields: [{ field: '__proto__', value: 1 }],
    })
    expect(await line.next(isType('error'))).toMatchObject({ code: 'INVALID_MESSAGE', re: 'push_fields' })
    line.send({ type: 'push_fields', entity: 'ghosts', entity_id: 1, fields: [{ field: 'x', value: 1 }] })
    expect(await line.next(isType('push_ack'))).toMatchObject({
      rejected: 1,
      error: { code: 'UNKNOWN_ENTITY' },
    })
  })

  test('[E8] K30 K31 each message is understood at either endpoint, which only says how changes are told', async () => {
    const { db, url } = await start()
    const fields = await fieldLine(url, ['users'])
    const rows = await subscribed(url, ['users'])
    rows.send(seed)
    expect(await rows.next(isType('push_ack'))).toMatchObject({ applied: 1, conflicts: 0 })
    expect(await nextField(fields)).toMatchObject({ field: 'name', value: 'Alice' })
    expect((await rows.next(isType('change'))).change?.data).toEqual({ id: 1, name: 'Alice', email: 'a@x' })
    fields.send({
      type: 'push',
      entity: 'users',
      entity_id: '1',
      action: 'update',
      data: { email: 'e' },
      mutation_id: 'm',
    })
    expect(await fields.next(isType('push_ack'))).toMatchObject({
      entity_id: '1',
      status: 'applied',
      version: 2,
    })
    expect(await nextField(fields)).toMatchObject({ field: 'email', value: 'e', version: 2 })
    expect(rowsOf(db, 'SELECT * FROM users')).toEqual([{ id: 1, name: 'Alice', email: 'e' }])
  })

  test('[E2] K49 field writes reach clients of rows and of the canonical protocol, and theirs come as fields', async () => {
    const { url } = await start()
    const session = await openSession(url)
    await session.load('users')
    const rows = await subscribed(url, ['users'])
    const fields = await fieldLine(url, ['users'])
    await pushFields(url, 'users', [field('name', 'by field', { mutation_id: 'mine' })], {
      client_id: 'c',
    })
    expect((await rows.next(isType('change'))).change?.data).toMatchObject({ name: 'by field', email: 'a@x' })
    expect(fieldsIn(fields.frames)[0]?.mutation_id).toBe('mine')
    const batch = await session.next(
      frame => frame.type === 'batch' && JSON.stringify(frame).includes('by field'),
    )
    expect(batch['sets']).toEqual([{ entity: 'users', rows: [[1, 1, 'by field', 'a@x']] }])
    session.mutate([update(1, 'users', 1, { email: 'by client' })])
    await until('the field', () => fieldsIn(fields.frames).length === 2)
    expect(fieldsIn(fields.frames).map(change => [change.field, change.value, change.version])).toEqual([
      ['name', 'by field', 1],
      ['email', 'by client', 2],
    ])
    // hello is understood here too
    const own = await openLine(url, `${base}/ws`)
    own.send({ type: 'hello', protocol: 1, client: 'c', lead: 1, acked: 0 })
    await own.next(isType('welcome'))
  })

  test('[E5] [S5] one that comes while others listen to rows hears every field', async () => {
    const { db, url } = await start()
    const rows = await subscribed(url, ['users'])
    db.exec("UPDATE users SET name = 'before' WHERE id = 1")
    await rows.next(isType('change'))
    const first = await fieldLine(url, ['users'])
    db.exec("UPDATE users SET email = 'first' WHERE id = 1")
    expect(await nextField(first)).toMatchObject({ field: 'email' })
    first.close()
    await first.closed
    db.exec("UPDATE users SET email = 'unheard' WHERE id = 1")
    await until('all of it', () => rows.changes().length >= 3)
    const second = await fieldLine(url, ['users'])
    db.exec("UPDATE users SET name = 'second' WHERE id = 1")
    expect(await nextField(second)).toMatchObject({ field: 'name', value: 'second' })
    expect(fieldsIn(second.frames).length).toBe(1)
  })
})

describe('event streams', () => {
  test('[E5] fields come as unnamed events; the last of a version has its id', async () => {
    const { db, url } = await start()
    const stream = await openStream(`${url}${base}/events?entities=users`)
    db.exec("INSERT INTO users VALUES (2, 'Bob', 'b@x'); INSERT INTO posts VALUES (1, 1, 'unheard')")
    await until('the row', () => fieldsIn(stream.frames).length === 3)
    expect(stream.ids).toEqual(['1'])
    expect(stream.text()).not.toContain('event:')
    db.exec("UPDATE users SET name = 'x', email = 'y' WHERE id = 2")
    await until('two fields', () => fieldsIn(stream.frames).length === 5)
    expect(stream.ids).toEqual(['1', '3'])
    const last = stream
      .text()
      .split('\n\n')
      .findLast(block => block.includes('data:'))
    expect(last).toMatch(/^id: 3\ndata: \{"type":"field_change"/)
  })

  test('[E5] X16 it resumes where Last-Event-ID says, over what it missed', async () => {
    const { db, url } = await start()
    const before = await openStream(`${url}${base}/events?entities=users`)
    db.exec("UPDATE users SET name = 'one' WHERE id = 1")
    await until('the first', () => before.ids.length === 1)
    before.close()
    db.exec("UPDATE users SET email = 'two' WHERE id = 1; INSERT INTO posts VALUES (1, 1, 'p')")
    db.exec("INSERT INTO users VALUES (2, 'three', NULL)")
    // somebody listens meanwhile, or nobody
    for (const listener of [null, await openStream(`${url}/api/sync/events`)]) {
      const again = await openStream(`${url}${base}/events?entities=users`, {
        'last-event-id': before.ids[0] ?? '',
      })
      await until('what was missed', () => fieldsIn(again.frames).length >= 4)
      db.exec('UPDATE users SET name = name || 1 WHERE id = 2')
      await until('what comes', () => fieldsIn(again.frames).length >= 5)
      expect(
        fieldsIn(again.frames)
          .map(({ entity_id, field: name }) => [entity_id, name])
          .slice(0, 4),
      ).toEqual([
        ['1', 'email'],
        ['2', 'id'],
        ['2', 'name'],
        ['2', 'email'],
      ])
      again.close()
      listener?.close()
    }
  })
})
