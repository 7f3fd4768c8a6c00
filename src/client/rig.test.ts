// What the replica's tests are played on: a machine, and everything that it said.
import { expect, test } from 'vitest'
import type {
  Cursor,
  Down,
  EntityShape,
  MutationResult,
  RowSet,
  Up,
  Welcome,
  WireRow,
} from '../core/index.ts'
import { textShape } from '../testing/fake-tables.ts'
import { desk } from './desk.ts'
import { createReplica } from './replica.ts'
import type { ReplicaEvent } from './replica.ts'
import type { Change, Effect, Work } from './state.ts'
import { firstDraft } from './store.ts'
import type { Wants } from './wants.ts'

export const shape = textShape(['id', 'title', 'done'])
export const at = (seq: number, epoch = 'e', check = seq): Cursor => ({ epoch, seq, check })

export function rig(
  options: {
    entities?: string[]
    wants?: Wants
    shape?: EntityShape
    strategy?: string
    desk?: null
  } = {},
) {
  const entities = options.entities ?? ['t']
  const replica = createReplica({
    wants: options.wants ?? Object.fromEntries(entities.map(name => [name, ['']])),
    identity: { client: 'c', n: 0, lead: 1, user: null, reading: 0 },
    node: 'n',
    desk: options.desk === undefined ? desk : options.desk,
    strategy: options.strategy ?? null,
  })
  const changes: Change[] = []
  const saves: Work[] = []
  const sent: Up[] = []
  const log: Effect[] = []
  const step = (event: ReplicaEvent, now = 1000): number => {
    const { n, effects } = replica.step(event, now)
    for (const effect of effects) {
      log.push(effect)
      if (effect.do === 'changed') changes.push(...effect.changes)
      if (effect.do === 'save') saves.push(effect.work)
      if (effect.do === 'send') sent.push(JSON.parse(effect.text) as Up)
    }
    return n
  }
  const frame = (message: Down): number => step({ type: 'frame', message })
  const welcome = (more: Partial<Welcome> = {}): void => {
    step({ type: 'opened' })
    frame({
      type: 'welcome',
      protocol: 1,
      user: 'u',
      epoch: 'e',
      head: 0,
      last: 0,
      server_time: 0,
      max_payload: 1_000_000,
      entities: Object.fromEntries(entities.map(name => [name, options.shape ?? shape])),
      ...more,
    })
  }
  const batch = (
    from: Cursor | null,
    to: Cursor | null,
    rows: WireRow[],
    more: Partial<RowSet> & { repair?: true; scopes?: string[] } = {},
  ): void => {
    const { repair, scopes = ['t'], ...set } = more
    frame({
      type: 'batch',
      scopes,
      from,
      ...(to === null ? {} : { to }),
      ...(repair ? { repair } : {}),
      sets: [{ entity: 't', rows, ...set }],
    })
  }
  const result = (
    n: number,
    status: MutationResult['status'],
    version: number,
    more: Partial<MutationResult> = {},
  ): void => {
    frame({ type: 'results', results: [{ n, status, version, ...more }] })
  }
  /** Stored, drafts under the next numbers; the last of them. */
  const durable = (...ns: number[]): number => {
    let { n } = replica.state.identity
    const numbers = ns.flatMap(draft => (draft < firstDraft ? [] : [[draft, ++n] as const]))
    step({
      type: 'durable',
      ns: ns.map(one => numbers.find(([draft]) => draft === one)?.[1] ?? one),
      numbers,
    })
    return ns.some(one => one > 0) ? n : 0
  }
  const update = (id: string, data: Record<string, string>): number =>
    durable(step({ type: 'write', writes: [{ entity: 't', id, action: 'update', data }] }))
  const create = (id: string, data: Record<string, string>): number =>
    durable(step({ type: 'write', writes: [{ entity: 't', id, action: 'create', data }] }))
  const sentMutations = () =>
    sent.filter(message => message.type === 'mutate').flatMap(message => message.mutations)
  const view = (id: string) => replica.view('t', id)
  return {
    replica,
    step,
    frame,
    welcome,
    batch,
    result,
    durable,
    update,
    create,
    changes,
    saves,
    sent,
    log,
    view,
    sentMutations,
  }
}

/** Connected, caught up at 10 with rows a and b. */
export function synced(options: Parameters<typeof rig>[0] = {}) {
  const r = rig(options)
  r.welcome({ head: 10 })
  r.batch(null, at(10), [
    [3, 'a', 'A', 'no'],
    [4, 'b', 'B', 'no'],
  ])
  r.changes.length = r.saves.length = r.sent.length = r.log.length = 0
  return r
}

test('a fresh replica shows nothing', () => {
  expect(rig().replica.rows('t')).toEqual([])
})
