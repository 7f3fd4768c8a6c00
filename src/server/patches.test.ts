// What travels of a changed row, against the table: whoever stands where a batch begins has, with it, what the table has.
import { describe, expect, test } from 'vitest'
import { createReplica } from '../client/replica.ts'
import type { Replica } from '../client/replica.ts'
import { defineEntity } from '../core/index.ts'
import type { AccessUser, Batch, Cursor, Filter, Row, Up } from '../core/index.ts'
import { seededRandom } from '../testing/random.ts'
import type { Random } from '../testing/random.ts'
import { Feed } from './feed.ts'
import type { Frame } from './frames.ts'
import { Hub } from './hub.ts'
import type { Lane, Subscriber } from './hub.ts'
import { cellsOfBoth, isLong, withPatch } from './patches.ts'
import { Reader } from './reader.ts'
import type { Outlet } from './reader.ts'
import { openHandle, openStore } from './sqlite/testkit.test.ts'
import type { App } from './sqlite/testkit.test.ts'
import type { ChangedRow, ServerStore } from './store.ts'
import { viewed } from './viewed.ts'
import { Views } from './views.ts'

const silent = (): void => {}
const quiet = { debug: silent, info: silent, warn: silent, error: silent }
const cell = { seq: 7, stamp: 's', by: null }
const long = 'x'.repeat(200)
const columns = [
  ['id', 'text'],
  ['n', 'any'],
  ['body', 'text'],
] as const

function changed(more: Partial<ChangedRow>): ChangedRow {
  return {
    entity: 't',
    id: 'a',
    seq: 7,
    json: `"a",1,"${long}"`,
    idJson: '"a"',
    created: false,
    reading: 0,
    temporary: null,
    cells: { n: cell },
    ...more,
  }
}

describe('[S13] a patch', () => {
  const patchOf = (more: Partial<ChangedRow>): string | undefined => withPatch(changed(more), columns).patch

  test('is the values of the columns that changed, to the letter (rule L8)', () => {
    for (const text of ['1.10', '"9007199254740993"', '{"a": [1, "x,\\"y"]}', '"\\u2028\\\\"', 'null'])
      expect(patchOf({ json: `"a",${text},"${long}"` })).toBe(`{"n":${text}}`)
    expect(patchOf({ cells: { id: cell, n: cell } })).toBe('{"id":"a","n":1}')
    const named = withPatch(changed({ cells: { 'a "b"': cell } }), [
      ['id', 'text'],
      ['a "b"', 'any'],
      ['body', 'text'],
    ])
    expect(named.patch).toBe('{"a \\"b\\"":1}')
  })

  test('of a change that touches nothing that is shown is empty, and moves the place alone', () => {
    expect(patchOf({ cells: { secret: cell } })).toBe('{}')
  })

  test('is none of a row that may be new to its reader, is gone, or of which too much changed', () => {
    expect(patchOf({ cells: undefined })).toBeUndefined()
    expect(patchOf({ created: true })).toBeUndefined()
    expect(patchOf({ json: null })).toBeUndefined()
    expect(patchOf({ cells: { body: cell } })).toBeUndefined()
    expect(patchOf({ json: `"a",1,"${'x'.repeat(140)}"` })).toBeUndefined()
    // read by another shape than is known now
    expect(patchOf({ json: `"a",1,"${long}",2` })).toBeUndefined()
    expect(withPatch(changed({}), undefined).patch).toBeUndefined()
  })

  test('of several changes has the columns of all; where one of them was of the whole row, it is none', () => {
    const later = changed({ cells: { body: cell } })
    expect(Object.keys(cellsOfBoth(changed({}), later) ?? {})).toEqual(['n', 'body'])
    expect(cellsOfBoth(changed({ cells: undefined }), later)).toBeUndefined()
    expect(cellsOfBoth(later, changed({ cells: undefined }))).toBeUndefined()
    expect([isLong({ json: null }), isLong({ json: '1' }), isLong(later)]).toEqual([false, false, true])
  })
})

// ---- everything together

const ddl = `CREATE TABLE t (id INTEGER PRIMARY KEY, owner TEXT, team INTEGER, title TEXT, loud TEXT AS (upper(title)),
    done BOOLEAN, big INTEGER, data JSON, secret TEXT, revision INTEGER NOT NULL DEFAULT 0, body TEXT DEFAULT '${long}');
  CREATE TRIGGER revise AFTER UPDATE OF title ON t BEGIN UPDATE t SET revision = OLD.revision + 1 WHERE id = NEW.id; END`
const shown = ['owner', 'team', 'title', 'loud', 'done', 'big', 'data', 'body']

interface Sight {
  readonly sees: Filter<Row> | boolean
  readonly columns: readonly string[]
}

const everything: Sight = { sees: true, columns: [...shown, 'secret', 'revision'] }
const sights: readonly Sight[] = [
  everything,
  { ...everything, columns: shown },
  { sees: { team: { in: [1, 2] } }, columns: everything.columns },
  { sees: { owner: 'u' }, columns: shown.filter(name => name !== 'owner') },
  { sees: { not: { done: true } }, columns: shown },
]

function write(app: App, random: Random): void {
  const id = 1 + random.int(12)
  const value = (): string =>
    random.pick(['NULL', '1', '2', '3', "'u'", '\'w, "x" [1]\'', '9007199254740993', '0.5'])
  const set = (count: number): string =>
    Array.from(
      { length: count },
      () => `${random.pick(['owner', 'team', 'title', 'done', 'big', 'secret'])} = ${value()}`,
    ).join()
  switch (random.weighted({ update: 20, data: 2, body: 1, insert: 6, replace: 1, remove: 2, move: 1 })) {
    case 'update':
      return app.exec(`UPDATE t SET ${set(1 + random.int(2))} WHERE id = ${id}`)
    case 'data':
      return app.exec(`UPDATE t SET data = '{"a":[1,"${random.int(9)},x"]}' WHERE id = ${id}`)
    case 'body':
      return app.exec(
        `UPDATE t SET body = ${random.pick(["'short'", `'${long}${long}'`, 'NULL'])} WHERE id = ${id}`,
      )
    case 'insert':
      return app.exec(`INSERT OR IGNORE INTO t(id, owner, team) VALUES (${id}, ${value()}, ${value()})`)
    case 'replace':
      return app.exec(`INSERT OR REPLACE INTO t(id, title) VALUES (${id}, ${value()})`)
    case 'remove':
      return app.exec(`DELETE FROM t WHERE id = ${id}`)
    case 'move':
      return app.exec(`UPDATE OR IGNORE t SET id = ${1 + random.int(12)} WHERE id = ${id}`)
  }
}

/** Pages of a few rows, so that a row's changes lie in several. */
function paged(store: ServerStore, random: Random): ServerStore {
  const changes: ServerStore['changes'] = query => store.changes({ ...query, limit: 1 + random.int(4) })
  return {
    head: () => store.head(),
    entities: store.entities,
    rowsById: (...asked: Parameters<ServerStore['rowsById']>) => store.rowsById(...asked),
    snapshot: (query: Parameters<ServerStore['snapshot']>[0]) => store.snapshot({ ...query, limit: 3 }),
    changes,
  } as unknown as ServerStore // reason: a feed and a reader that repair nothing ask for no more
}

class Screen implements Subscriber {
  lanes: Lane[] = []
  open = true
  patches = 0
  readonly views: Views
  readonly sight: Sight
  readonly replica: Replica = createReplica({
    wants: { t: [''] },
    identity: { client: 'c', n: 0, lead: 1, user: 'u', reading: 0 },
    node: 'n',
    desk: null,
  })
  readonly outlet: Outlet
  behind: Lane | null = null

  constructor(sight: Sight, store: ServerStore, room: () => Promise<void>) {
    this.sight = sight
    const { sees, columns: kept } = sight
    this.views = new Views({ id: 'u', sees, kept }, store.entities, quiet)
    this.outlet = {
      dialect: 'plain',
      room: () => room().then(() => true),
      deliver: frames => this.deliver(frames),
      shapeOf: entity => this.views.shapeOf(entity),
      unfinished: new Map(),
      overtaken: () => expect.fail('nobody cleans up here'),
    }
    const shape = this.views.shapeOf('t')
    if (shape === undefined) return
    const times = { last: 0, server_time: 0, max_payload: 1e6 }
    const welcome = { type: 'welcome', protocol: 1, user: 'u', epoch: '', head: 0, ...times } as const
    this.replica.step({ type: 'frame', message: { ...welcome, entities: { t: shape } } }, 0)
  }

  ready(): boolean {
    return this.open
  }

  fellBehind(lane: Lane): void {
    this.behind = lane
  }

  deliver(frames: readonly Frame[]): void {
    for (const { text } of frames) {
      if (!this.sight.columns.includes('secret')) expect(text).not.toContain('secret')
      const message = JSON.parse(text) as Batch // reason: our own hub or reader printed it
      for (const { patches = [] } of message.sets) this.patches += patches.length
      const { effects } = this.replica.step({ type: 'frame', message }, 0)
      // each batch begins where the last one ended, and has no patch of a row that is not here
      for (const effect of effects) if (effect.do === 'send') this.said.push(JSON.parse(effect.text) as Up)
    }
    expect(this.said).toEqual([])
  }

  readonly said: Up[] = []

  get at(): Cursor {
    return this.replica.state.entities.get('t')?.cursor ?? expect.fail('it has no cursor')
  }

  /** Whole rows, as they are read for somebody who begins with nothing. */
  async check(store: ServerStore): Promise<void> {
    const query = { entity: 't', after: null, limit: 100, form: 'object' } as const
    const { rows } = await viewed(store, this.views).snapshot(query)
    const there = rows.map(({ id, seq, json }) => [id, seq, JSON.parse(json)] as const)
    const held = this.replica.state.entities.get('t')?.rows.values() ?? []
    const here = Array.from(held, ({ id, seq, row }) => [id, seq, row] as const)
    expect(byId(here)).toEqual(byId(there))
  }
}

function byId<T extends readonly [id: string, ...rest: unknown[]]>(rows: readonly T[]): T[] {
  return [...rows].sort(([a], [b]) => Number(a) - Number(b))
}

async function play(seed: number): Promise<number> {
  const random = seededRandom(seed)
  const app = openHandle('node:sqlite', ':memory:')
  app.exec(ddl)
  const access = {
    read: (user: AccessUser) => user['sees'] as Sight['sees'],
    columns: (user: AccessUser) => user['kept'] as string[],
  }
  const real = await openStore(app, [defineEntity({ name: 't', by: ['owner', 'team', 'done'], access })])
  const store = paged(real, random)
  const feed = new Feed(store, 'values', ['t'])
  const hub = new Hub(feed, 'canonical')
  for (let i = 0; i < 12; i++) write(app, random)
  await feed.advance()
  const meanwhile = async (): Promise<void> => {
    if (random.chance(0.3)) write(app, random)
    if (random.chance(0.05)) await real.fold()
    if (random.chance(0.2) && (await feed.advance())) hub.flush()
  }
  const screens = Array.from({ length: 6 }, () => new Screen(random.pick(sights), real, meanwhile))
  const readerOf = (screen: Screen): Reader => new Reader(viewed(store, screen.views), screen.outlet)
  const joins = (screen: Screen, at: Cursor | null): void => {
    hub.join(screen, ['t'], at ?? expect.fail('nobody ends a reading here'))
    hub.flushOne(screen)
  }
  for (const screen of screens) joins(screen, await readerOf(screen).snapshot('t'))
  for (let step = 0; step < 40; step++) {
    for (let i = random.int(4); i > 0; i--) write(app, random)
    if (random.chance(0.15)) await real.fold()
    if (random.chance(0.05)) feed.reset()
    const screen = random.pick(screens)
    if (random.chance(0.3)) screen.open = !screen.open
    // it comes back with its cursor, or the window begins behind its place
    if (random.chance(0.15)) {
      hub.leave(screen)
      screen.open = true
      if (random.chance(0.5)) for (let i = 0; i < 5; i++) write(app, random)
      joins(screen, await readerOf(screen).catchUp(['t'], screen.at, false))
    }
    if (random.chance(0.7)) {
      while (await feed.advance()) hub.flush()
      for (const one of screens) {
        if (one.open) hub.flushOne(one)
        if (one.behind !== null) {
          const { at } = one.behind
          one.behind = null
          joins(one, await readerOf(one).catchUp(['t'], at, false))
        }
      }
      while (await feed.advance()) hub.flush()
      for (const one of screens) if (one.open) await one.check(real)
    }
  }
  await real.close()
  app.close()
  return screens.reduce((sum, { patches }) => sum + patches, 0)
}

test('[S13] [V1] [V3] live, lagging and coming back, through views and pages: every replica is the table after each batch', async () => {
  let patches = 0
  for (let seed = 1; seed <= 30; seed++) {
    patches += await play(seed).catch((error: unknown) => {
      throw new Error(`seed ${seed}`, { cause: error })
    })
  }
  expect(patches).toBeGreaterThan(900)
}, 60_000)
