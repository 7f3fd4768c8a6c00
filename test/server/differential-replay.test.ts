// Histories of three differential clients and a foreign SQL writer: what each was told, replayed, is what it shows, and in
// the end what the table says.
import { afterEach, expect, test } from 'vitest'
import { seededRandom } from 'syncline/testing'
import type { Random } from 'syncline/testing'
import { cleanUp, rowsOf, until } from './support/app.ts'
import type { App } from './support/app.ts'
import { connected, startTables } from './support/differential.ts'
import type { Rig } from './support/differential.ts'

afterEach(cleanUp)

const seeds = 12
const steps = 60
const fast = { perSecond: 1_000_000, burst: 1_000_000 }
const limits = { dataRate: fast, userDataRate: fast, controlRate: fast, userControlRate: fast }
const columns = ['status', 'name', 'email'] as const

type Rows = Map<string, Record<string, unknown>>

interface Mirror extends Rig {
  readonly replayed: Rows
  /** The state as `state:updated` told it last. */
  updated: object
}

async function mirror(app: App): Promise<Mirror> {
  const it: Mirror = { ...(await connected(app.url)), replayed: new Map(), updated: {} }
  it.client.on('state:change', ({ entityType, entityId, field, oldValue, newValue, changeType }) => {
    if (entityType !== 'users') return
    const row = it.replayed.get(entityId)
    if (changeType === 'create') it.replayed.set(entityId, { ...row, [field]: newValue })
    else if (row === undefined) throw new Error(`${changeType} of '${entityId}', which was never told of`)
    else if (changeType === 'delete') it.replayed.delete(entityId)
    else {
      expect([entityId, field, oldValue]).toEqual([entityId, field, row[field] ?? null])
      row[field] = newValue
    }
  })
  it.client.on('state:updated', ({ entityType, oldState, newState }) => {
    if (entityType !== 'users') return
    expect(told(Object.entries(oldState))).toEqual(told(Object.entries(it.updated)))
    it.updated = newState
  })
  return it
}

/** What is null and what is left out are one. */
const told = (rows: Iterable<readonly [string, unknown]>): Record<string, object> =>
  Object.fromEntries(
    [...rows].map(([id, row]) => [
      id,
      Object.fromEntries(Object.entries(row as object).filter(([, v]) => v !== null)),
    ]),
  )
const shown = ({ client }: Mirror): Record<string, object> =>
  told(Object.entries(client.getLocalState('users')))

function write(app: App, it: Mirror, random: Random, step: number): void {
  const id = `u${random.int(6)}`
  const field = random.pick(columns)
  const kind = random.int(8)
  if (kind === 0) it.client.updateLocalState({ [id]: null }, 'users')
  else if (kind === 1) app.db.exec(`DELETE FROM users WHERE id = '${id}'`)
  else if (kind < 4)
    app.db.exec(
      `INSERT INTO users (id, ${field}) VALUES ('${id}', 'sql ${step}') ON CONFLICT (id) DO UPDATE SET ${field} = excluded.${field}`,
    )
  else it.client.updateLocalState({ [id]: { [field]: `client ${step}` } }, 'users')
}

async function act(it: Mirror, random: Random): Promise<void> {
  const { client } = it
  const settled = (promise: Promise<unknown>): Promise<unknown> => promise.catch(() => {})
  const going = random.pick([
    () => client.subscribe('users'),
    () => client.unsubscribe('users'),
    () => client.requestSync('users'),
    () => client.requestSync('users'),
    () => client.disconnect(),
    () => client.connect(),
    () => Promise.all([client.requestSync('users'), client.subscribe('users')]),
  ])()
  // sometimes the next thing happens while this is under way
  if (random.chance(0.6)) await settled(going)
  else void settled(going)
}

test.each(Array.from({ length: seeds }, (_, i) => i + 1))(
  `[W3] [W6] [W8] seed %i of ${seeds}: what was told, replayed, is what is shown, and what is`,
  async seed => {
    const random = seededRandom(seed)
    const app = await startTables({ grain: 'field', limits })
    const all = [await mirror(app), await mirror(app), await mirror(app)]
    for (let step = 0; step < steps; step++) {
      const it = random.pick(all)
      if (random.chance(0.5)) write(app, it, random, step)
      else await act(it, random)
    }
    for (const it of all) {
      await it.client.connect()
      await it.client.subscribe('users')
      await until('the queue', () => it.client.getSyncStatus().pendingChanges === 0)
    }
    const table = told(rowsOf(app.db, 'SELECT * FROM users').map(row => [String(row['id']), row]))
    for (const it of all) {
      await it.client.requestSync('users')
      await until('the table', () => JSON.stringify(sorted(shown(it))) === JSON.stringify(sorted(table)))
      expect(told(it.replayed)).toEqual(shown(it))
      expect(told(Object.entries(it.updated))).toEqual(shown(it))
      // nothing of this can be refused, and no listener threw
      expect(it.of('error').filter(({ code }) => code !== 'NOT_CONNECTED')).toEqual([])
    }
  },
)

function sorted(rows: Record<string, object>): unknown {
  return Object.keys(rows)
    .toSorted()
    .map(id => [id, Object.entries(rows[id] ?? {}).toSorted(([a], [b]) => (a < b ? -1 : 1))])
}
