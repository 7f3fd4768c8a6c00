// Two tenants on one server. One of them tries every door, dialect, error and way of catching up, while the other writes;
// then all bytes that it was ever sent are searched for what is not its own (rules V1, V2, V7; X49).
import { afterEach, expect, test } from 'vitest'
import { cleanUp, later, until } from './support/app.ts'
import {
  theirs,
  hidden,
  users,
  begin,
  Ear,
  whole,
  scope,
  write,
  mutation,
  busy,
  mark,
  expectClean,
  hashIn,
  listening,
} from './support/tenants.ts'

afterEach(cleanUp)

test('[V1] [V2] X49 HTTP: whole tables, changes since, bad requests, writes', async () => {
  const app = await begin()
  const a = new Ear(app, 'a')
  const { version } = JSON.parse((await a.ask('/notes')).text) as { version: number }
  for (let round = 0; round < 3; round++) {
    busy(app, round)
    for (const query of [
      '',
      '?since=0',
      `?since=${version}`,
      `?since=${version + 2}&limit=2`,
      '?since=999999',
      '?since=x',
    ])
      await a.ask(`/notes${query}`)
    await a.ask('/parts')
    await a.ask('/notes', { method: 'HEAD' })
    await a.ask(`/${theirs.toLowerCase()}`)
    const pushed = await a.post('/notes', {
      client_id: 'x',
      changes: [
        { id: 'guess', action: 'update', data: { title: 'x' } },
        { id: 'guess', action: 'create', data: { title: 'x', tenant: 'A' } },
        { id: 'guess', action: 'update', data: { tenant: 'A' } },
        { id: 'mine20', action: 'update', data: { secret: 'x' } },
        { id: 'mine21', action: 'update', data: { tenant: 'B' } },
        { id: 'guess', action: 'delete' },
      ],
    })
    const { results } = JSON.parse(pushed.text) as { results: { status: string; error?: { code: string } }[] }
    expect(results.map(({ status, error }) => error?.code ?? status)).toEqual([
      'FORBIDDEN',
      'FORBIDDEN',
      'FORBIDDEN',
      'FORBIDDEN',
      'FORBIDDEN',
      'applied',
    ])
    await app.engine.cleanup(0)
  }
  expect(app.db.prepare("SELECT title FROM notes WHERE id = 'guess'").all()).toEqual([
    { title: `${theirs} guessed` },
  ])
  expect((await a.ask('/notes')).text).toContain('"mine5"')
  expectClean(a)
  // the ear hears: what is searched for is there for whom it belongs to
  const b = new Ear(app, 'b')
  await b.ask('/notes')
  expect(b.heard).toContain(theirs)
})

test('[V1] [V2] X49 the bare protocol over WebSocket, event streams and their resumption', async () => {
  const app = await begin()
  const { a, b, line, last } = await listening(app)
  for (let round = 0; round < 4; round++) {
    busy(app, round)
    for (const batch of [true, false]) line.say({ type: 'sync', entity: 'notes', since: round * 3, batch })
    line.say({ type: 'sync', entity: 'notes', since: 0 })
    line.say({ type: 'sync', entity: 'parts', since: 99_999 })
    const push = { type: 'push', entity: 'notes', id: 'guess', action: 'update', data: { title: 'x' } }
    // the second is answered from what the first came to
    for (let i = 0; i < 2; i++) line.say({ ...push, mutation_id: `m${round}` })
    line.say({ type: 'sync', entity: 'ghosts', since: 0 })
    await a.stream('/events?entities=notes', { 'last-event-id': last })
    await a.stream('/events?since=0')
    await mark(app, a, `round${round}`)
  }
  await until('all streams', () => a.heard.split('"round3"').length > 6)
  expectClean(a)
  await until('the other one', () => b.heard.includes(theirs))
})

test('[V1] [V2] [E4] X49 fields: HTTP, latest, event streams, WebSocket, conflicts', async () => {
  const app = await begin()
  const { a, b, line, last } = await listening(app, '/api/field-sync')
  const { version } = JSON.parse((await a.ask('/notes')).text) as { version: number }
  const entry = (id: string, field: string | null, value: unknown, more: object = {}): object => ({
    entity_id: id,
    field,
    value,
    ...more,
  })
  for (let round = 0; round < 4; round++) {
    busy(app, round)
    app.db.exec(`UPDATE notes SET title = 'theirs now', secret = '${hidden} !' WHERE id = 'mine2${round}'`)
    for (const query of [
      '',
      `?since=${version}`,
      `?since=${version + round * 3}`,
      '?since=999999',
      '?since=x',
    ])
      await a.ask(`/notes${query}`)
    await a.ask('/parts')
    await a.ask('/ghosts/guess/latest')
    const seen = await a.ask(`/notes/mine2${round}/latest`)
    expect(seen.text).toContain('theirs now')
    for (const id of ['guess', `mine${round}`, 'nobody'])
      expect((await a.ask(`/notes/${id}/latest`)).status, id).toBe(404)
    const stale = { base_version: version }
    const changes = [
      entry('guess', 'title', 'x'),
      entry('guess', 'title', 'x', { action: 'create' }),
      entry('guess', null, null, { action: 'delete' }),
      // handed over: it was theirs when it was written
      entry(`mine${round}`, 'title', 'x', stale),
      entry('mine20', 'secret', 'x', stale),
      entry('mine20', 'tenant', 'B'),
      entry(`mine2${round}`, 'title', 'x', stale),
      entry(`mine2${round}`, null, null, { ...stale, action: 'delete' }),
    ]
    const { text: answer } = await a.post('/notes', { client_id: `x${round}`, changes })
    const { results } = JSON.parse(answer) as { results: { status: string; error?: { code: string } }[] }
    expect(results.map(({ status, error }) => error?.code ?? status)).toEqual([
      'FORBIDDEN',
      'FORBIDDEN',
      'applied',
      'FORBIDDEN',
      'FORBIDDEN',
      'FORBIDDEN',
      'CONFLICT',
      'CONFLICT',
    ])
    for (const fields of changes.map(change => [change]))
      for (const door of [line, await new Ear(app, 'a').socket()])
        door.say({ type: 'push_fields', entity: 'notes', fields, mutation_id: `m${round}` })
    for (const batch of [true, false])
      line.say({ type: 'sync', entity: 'notes', since: version + round, batch })
    line.say({ type: 'sync', entity: 'notes', since: 0 })
    line.say({ type: 'sync', entity: 'parts', since: 99_999 })
    await a.stream('/events?entities=notes', { 'last-event-id': last })
    await a.stream('/events?since=0')
    if (round === 2) await app.engine.cleanup(0)
    await mark(app, a, `round${round}`)
    await line.hears(
      `what was asked in round ${round}`,
      ({ type, ['entity']: entity }) => type === 'sync_complete' && entity === 'parts',
    )
  }
  await until('all streams', () => a.heard.split('"round3"').length > 6)
  expect(a.heard).toContain('conflict_details')
  expectClean(a)
  await until('the other one', () => b.heard.includes(theirs))
})

test('[V1] [V2] [V4] X49 the canonical protocol: first load, live, catch-up, healing, replays, other rights', async () => {
  const app = await begin()
  const a = new Ear(app, 'a')
  const first = await a.session('c1')
  first.say({ type: 'subscribe', scopes: [scope(), { ...scope(), entity: 'parts' }] })
  const loaded = await first.hears('the rows', whole)
  const { shape, cursor } = { shape: hashIn(first.welcome), cursor: loaded['to'] }
  busy(app, 0)
  await mark(app, a, 'live')
  const sent = [
    mutation(1, write('guess', 'update', { title: 'x' })),
    mutation(2, write('guess', 'delete')),
    mutation(3, write('tmp_1', 'create', { tenant: 'B', title: 'x' })),
    mutation(4, write('mine8', 'update', { title: 'x' }), write('guess', 'update', { title: 'x' })),
    mutation(5, write('mine9', 'update', { title: 'x' })),
  ]
  for (const line of [first, await a.session('c1')]) {
    line.say({ type: 'mutate', acked: 0, mutations: sent })
    const codes = (await line.hears('results', ({ type }) => type === 'results'))['results'] as {
      status: string
    }[]
    expect(codes.map(({ status }) => status).sort()).toEqual(
      line === first
        ? ['applied', 'applied', 'rejected', 'rejected', 'rejected']
        : ['duplicate', 'duplicate', 'duplicate', 'duplicate', 'duplicate'],
    )
  }
  first.close()

  for (const [i, ask] of [
    { cursor, shape },
    // what was held was of another view, or of another table
    { cursor, shape: 'another' },
    { cursor: { ...(cursor as object), check: 1 }, marks: [cursor], shape },
    { cursor: { ...(cursor as object), epoch: 'x' }, shape },
  ].entries()) {
    busy(app, i + 1)
    if (i === 3) await app.engine.cleanup(0)
    const line = await a.session(`back${i}`)
    line.say({ type: 'subscribe', scopes: [scope(ask)] })
    const answer = await line.hears('an answer', frame => frame.type === 'reset' || whole(frame))
    if (answer.type === 'reset') {
      const { to } = (await line.hears('the repair', whole)) as unknown as { to: object }
      line.say({
        type: 'reconcile',
        entity: 'notes',
        cursor: to,
        hashes: Array.from({ length: 256 }, () => 1),
      })
      const { buckets } = (await line.hears('the buckets', ({ type }) => type === 'mismatch')) as unknown as {
        buckets: number[]
      }
      expect(buckets.length).toBe(256)
      line.say({
        type: 'reconcile',
        entity: 'notes',
        cursor: to,
        held: [
          ['guess', 1],
          ['mine7', 0],
        ],
        buckets,
      })
      const healed = await line.hears('the end', frame => whole(frame) && frame['repair'] === true)
      expect(JSON.stringify(healed)).toContain('"guess"')
    }
    await mark(app, a, `back${i}`)
  }

  // over an event stream with its own session, and in answers that end
  const stream = await a.stream('/events?stream=canonical')
  const session = await until('a session', () => /"session":"(\w+)"/.exec(stream())?.[1])
  await a.post(`/events?session=${session}`, [
    { type: 'hello', protocol: 1, client: 'sse', lead: 1, acked: 0 },
    { type: 'subscribe', scopes: [scope()] },
  ])
  await until('rows', () => stream().includes('"mine8"'))
  const polled = await a.ask('/events?stream=poll')
  const poll = /"session":"(\w+)"/.exec(polled.text)?.[1] ?? ''
  await a.post(`/events?session=${poll}`, [
    { type: 'hello', protocol: 1, client: 'poll', lead: 1, acked: 0 },
    { type: 'subscribe', scopes: [scope()] },
  ])
  for (let all = ''; !all.includes('"mine8"');)
    all += (await a.ask(`/events?stream=poll&session=${poll}`)).text
  busy(app, 6)
  await mark(app, a, 'polled')
  expectClean(a)

  // one who loses the right to see a column and the whole tenant meanwhile
  users.set('c', { id: 'c', tenant: 'B' })
  later(() => users.delete('c'))
  const c = new Ear(app, 'c')
  const before = await c.session('c')
  before.say({ type: 'subscribe', scopes: [scope()] })
  const held = await before.hears('rows', whole)
  expect(c.heard).toContain(theirs)
  before.close()
  users.set('c', { id: 'a', tenant: 'A' })
  c.heard = ''
  const after = await c.session('c')
  after.say({ type: 'subscribe', scopes: [scope({ cursor: held['to'], shape: hashIn(before.welcome) })] })
  await after.hears('a reset', ({ type }) => type === 'reset')
  const { to } = (await after.hears('the repair', whole)) as unknown as { to: object }
  after.say({
    type: 'reconcile',
    entity: 'notes',
    cursor: to,
    held: [['guess', 1]],
    buckets: [...Array(256).keys()],
  })
  await after.hears('the end', frame => whole(frame) && frame['repair'] === true)
  expectClean(c)
})
