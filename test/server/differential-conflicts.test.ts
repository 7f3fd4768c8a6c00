// The inbox of `DifferentialSyncClient`: what somebody wrote and did not survive is told, listed, and settled in one call.
import { afterEach, expect, test } from 'vitest'
import type { Conflict } from 'syncline/differential'
import { defineEntity } from 'syncline'
import { cleanUp, rowsOf, until } from './support/app.ts'
import type { App } from './support/app.ts'
import { connected, settled, startTables } from './support/differential.ts'
import type { Rig } from './support/differential.ts'

afterEach(cleanUp)

interface Desk extends Rig {
  /** What it was told of in its inbox. */
  readonly heard: Conflict[]
}

async function desk(app: App): Promise<Desk> {
  const it = await connected(app.url)
  const heard: Conflict[] = []
  // however many listen, each is told once
  it.client.on('conflict', () => {})
  it.client.on('conflict', conflict => heard.push(conflict))
  await it.client.subscribe('users')
  return { ...it, heard }
}

const write = ({ client }: Rig, status: string): void => client.updateLocalState({ u: { status } }, 'users')
const shown = ({ client }: Rig): unknown => (client.getLocalState('users')['u'] as { status: unknown }).status
async function back(it: Rig): Promise<void> {
  await it.client.connect()
  await it.client.subscribe('users')
  await settled(it)
}

/** The first wrote while it was away, the second meanwhile. */
async function divided(): Promise<{ app: App; first: Desk; second: Desk }> {
  const app = await startTables({ strategy: 'keep-both', grain: 'field' })
  app.db.exec("INSERT INTO users (id, status) VALUES ('u', 'before')")
  const [first, second] = [await desk(app), await desk(app)]
  await first.client.disconnect()
  write(first, 'first')
  write(second, 'second')
  await settled(second)
  await back(first)
  for (const it of [first, second]) await until('the record', () => it.heard.length === 1)
  return { app, first, second }
}

test('[I1] [I3] both who wrote are told of a value that did not survive, with all that is known of it', async () => {
  const { first, second } = await divided()
  for (const it of [first, second]) {
    expect(shown(it)).toBe('second')
    expect(it.heard).toMatchObject([
      {
        entity: 'users',
        rowId: 'u',
        field: 'status',
        base: 'before',
        mine: 'first',
        theirs: 'second',
        mineAt: expect.any(Number),
        theirsAt: expect.any(Number),
        at: expect.any(Number),
        writer: 'anon',
        other: 'anon',
        outcome: 'keep-both',
        status: 'open',
      },
    ])
    expect(it.client.conflicts.list()).toEqual(it.heard)
  }
  expect(first.of('state:updated').at(-1)).toMatchObject({ source: 'rollback' })
})

test.each(['keepMine', 'keepTheirs', 'resolve'] as const)(
  '[I4] %s settles it for everybody, offline too',
  async how => {
    const { app, first, second } = await divided()
    await first.client.disconnect()
    const [conflict] = first.client.conflicts.list()
    if (how === 'resolve') conflict?.resolve('both')
    else conflict?.[how]()
    expect(first.client.conflicts.list()).toEqual([])
    await back(first)
    const value = { keepMine: 'first', keepTheirs: 'second', resolve: 'both' }[how]
    for (const it of [first, second]) {
      await until('the value', () => shown(it) === value)
      await until('the end of it', () => it.client.conflicts.list().length === 0)
      expect(it.heard).toHaveLength(1)
    }
    expect(rowsOf(app.db, 'SELECT status FROM users')).toEqual([{ status: value }])
    expect(rowsOf(app.db, 'SELECT status FROM _syncline_conflicts')).toEqual([{ status: 'resolved' }])
  },
)

test('[I1] who goes on writing without having seen it has one decision to make: the newest takes its place, and is told', async () => {
  const { app, first, second } = await divided()
  await first.client.disconnect()
  write(first, 'first again')
  write(second, 'second again')
  await settled(second)
  await back(first)
  await until('the record', () => first.heard.length === 2)
  const newest = { base: 'before', mine: 'first again', theirs: 'second again' }
  expect(first.heard[1]).toMatchObject(newest)
  expect(first.client.conflicts.list()).toMatchObject([newest])
  expect(rowsOf(app.db, 'SELECT mine FROM _syncline_conflicts')).toEqual([{ mine: '"first again"' }])
  // a listener that comes later is told of what is open when it comes, once
  expect(second.heard.map(({ mine }) => mine)).toEqual(['first', 'first again'])
})

test('[I1] a value whose row was deleted under it', async () => {
  const app = await startTables({ grain: 'field' })
  app.db.exec("INSERT INTO users (id, status, name) VALUES ('u', 'before', 'Ada')")
  const it = await desk(app)
  await it.client.disconnect()
  write(it, 'late')
  app.db.exec('DELETE FROM users')
  await back(it)
  await until('the record', () => it.heard.length === 1)
  expect(it.heard).toMatchObject([{ mine: 'late', theirs: null, outcome: 'deleted', base: 'before' }])
  expect(it.client.getLocalState('users')).toEqual({})
  await it.client.conflicts.keepMine(it.heard[0]?.id ?? '').confirmed
  expect(it.client.getLocalState('users')).toMatchObject({ u: { status: 'late' } })
  expect(rowsOf(app.db, 'SELECT id, status FROM users')).toEqual([{ id: 'u', status: 'late' }])
})

test('[I2] what the server refused is told as an error, and settled as the rest is', async () => {
  const users = defineEntity({
    name: 'users',
    access: { write: (_user, { data }) => data['status'] !== 'bad' },
  })
  const app = await startTables({ entities: [users, 'orders', 'settings'] })
  app.db.exec("INSERT INTO users (id, status) VALUES ('u', 'before')")
  const it = await desk(app)
  write(it, 'bad')
  await until('the refusal', () => it.of('error').length === 1)
  const { conflicts } = it.client
  expect(conflicts.list()).toMatchObject([
    { field: 'status', base: 'before', mine: 'bad', outcome: 'rejected', error: { code: 'FORBIDDEN' } },
  ])
  expect(it.heard).toEqual([])
  await conflicts.list()[0]?.resolve('good').confirmed
  expect(shown(it)).toBe('good')
  expect([conflicts.list(), it.of('error').length]).toEqual([[], 1])
})

test('[I3] [W8] records are asked for when somebody asks, are no state, and where there are none nothing is wrong', async () => {
  const app = await startTables({ strategy: 'server-wins' })
  app.db.exec("INSERT INTO users (id, status) VALUES ('u', 'before')")
  const it = await connected(app.url)
  await it.client.subscribe()
  const lose = async (): Promise<void> => {
    await it.client.disconnect()
    write(it, 'mine')
    app.db.exec("UPDATE users SET status = status || '.'")
    await back(it)
  }
  await lose()
  expect(it.up.join()).not.toContain('syncline_conflicts')
  it.told.length = 0
  expect(it.client.conflicts.list()).toEqual([])
  await until('the record', () => it.client.conflicts.list().length === 1)
  // who listens from now on is told of what is there
  const heard: Conflict[] = []
  it.client.addManagedEventListener('conflict', conflict => heard.push(conflict))
  await until('it', () => heard.length === 1)
  expect(it.told).toEqual([])
  expect(it.client.getLocalState()).toHaveProperty('users')
  expect(it.client.getLocalState()).not.toHaveProperty('syncline_conflicts')
  // gone with its connection, as all that is managed
  await lose()
  await until('the newer one', () => it.client.conflicts.list()[0]?.theirs === 'before..')
  expect(heard).toHaveLength(1)

  const without = await startTables({ conflicts: false })
  const alone = await desk(without)
  await alone.client.requestSync()
  expect([alone.heard, alone.client.conflicts.list(), alone.of('error')]).toEqual([[], [], []])
})
