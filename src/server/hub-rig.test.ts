// What the tests of feed and hub are played on: a log in memory, and screens that keep what they were given.
import { expect, test } from 'vitest'
import { Feed } from './feed.ts'
import type { Frame } from './frames.ts'
import { Hub } from './hub.ts'
import type { Form, Lane, Subscriber } from './hub.ts'
import type { ChangedRow, Changes, EntityInfo, ServerStore } from './store.ts'
import { Views } from './views.ts'

export const cursor = (seq: number): { epoch: string; seq: number; check: number } => ({
  epoch: 'e',
  seq,
  check: seq * 7,
})

/** A log in memory, as far as a feed asks for it. */
export class Log {
  rows: ChangedRow[] = []
  reads = 0
  horizon = 0
  readonly entities = new Map<string, EntityInfo>()

  write(entity: string, id: string, more: Partial<ChangedRow> = {}): void {
    const seq = this.rows.length + 1
    this.rows.push({
      entity,
      id,
      seq,
      json: `"${id}@${seq}"`,
      idJson: id,
      created: false,
      reading: seq,
      temporary: null,
      ...more,
    })
  }

  get store(): ServerStore {
    const head = (): Promise<ReturnType<typeof cursor> & { horizon: number }> =>
      Promise.resolve({ ...cursor(this.rows.length), horizon: this.horizon })
    const changes = ({ entities, after, cells }: Parameters<ServerStore['changes']>[0]): Promise<Changes> => {
      this.reads += 1
      const rows = this.rows
        .filter(row => row.seq > after && entities.includes(row.entity))
        .map(row => (cells === true ? row : { ...row, cells: undefined }))
      const last = new Map(rows.map(row => [`${row.entity}/${row.id}`, row]))
      return Promise.resolve({
        rows: rows.filter(row => last.get(`${row.entity}/${row.id}`) === row),
        to: cursor(this.rows.length),
        more: false,
        horizon: this.horizon,
        moves: [],
      })
    }
    return { head, changes, entities: this.entities } as unknown as ServerStore
  }
}

const silent = (): void => {}
const log = { debug: silent, info: silent, warn: silent, error: silent }
const everything = new Views({ id: 'anon' }, new Map(), log)

export class Screen implements Subscriber {
  lanes: Lane[] = []
  readonly views: Views
  open = true
  writes: (readonly Frame[])[] = []
  behind: Lane[] = []

  constructor(views = everything) {
    this.views = views
  }

  ready(): boolean {
    return this.open
  }

  deliver(frames: readonly Frame[]): void {
    if (frames.length > 0) this.writes.push(frames)
  }

  fellBehind(lane: Lane): void {
    this.behind.push(lane)
  }

  get batches(): {
    from: { seq: number }
    to: { seq: number }
    scopes: string[]
    sets: { entity: string; rows: unknown[][]; patches?: unknown[][] }[]
  }[] {
    return this.writes.flat().map(frame => JSON.parse(frame.text) as (typeof this.batches)[number])
  }
}

export async function world(
  form: Form = 'canonical',
): Promise<{ log: Log; hub: Hub; feed: Feed; flush: () => Promise<void> }> {
  const log = new Log()
  const feed = new Feed(log.store, form === 'plain' ? 'object' : 'values', ['users', 'posts'])
  const hub = new Hub(feed, form)
  await feed.advance()
  const flush = async (): Promise<void> => {
    if (await feed.advance()) hub.flush()
  }
  return { log, hub, feed, flush }
}

export function joined(hub: Hub, entities: string[], seq = 0): Screen {
  const screen = new Screen()
  hub.join(screen, entities, cursor(seq))
  hub.flushOne(screen)
  return screen
}

test('a log tells the newest state of each row once', async () => {
  const log = new Log()
  for (const id of ['a', 'b', 'a']) log.write('users', id)
  const { rows } = await log.store.changes({ entities: ['users'], after: 0, limit: 9, form: 'values' })
  expect(rows.map(({ id, seq }) => [id, seq])).toEqual([
    ['b', 2],
    ['a', 3],
  ])
})
