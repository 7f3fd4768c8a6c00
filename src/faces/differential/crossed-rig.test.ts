// What the tests of crossing frames are played on: a client whose server says what the test makes it say, in its order.
import { expect, test } from 'vitest'
import { FakeEnv, settle } from '../../testing/fake-env.ts'
import { DifferentialSyncClient } from './client.ts'
import type { DifferentialEvents } from './events.ts'

type Values = Readonly<Record<string, string>>

interface Sent {
  readonly type: string
  readonly syncId?: string
  readonly scopes?: readonly { readonly entity: string }[]
  readonly data?: { readonly lastKnownVectorClock: { readonly cursor: { readonly seq: number } } }
}

export const place = (seq: number): object => ({ epoch: 'e', seq, check: seq })
const clock = (seq: number, versions: object = {}): object => ({
  clientId: 'e',
  versions,
  lamportCounter: seq,
  nodeId: 'e',
  cursor: place(seq),
})

const columns = ['id', 'status', 'name']
export const shape = {
  columns: columns.map(name => [name, 'text']),
  key: ['id'],
  hash: 'h',
  strategy: 'last-write-wins',
}
const welcome = {
  type: 'welcome',
  protocol: 1,
  user: 'u',
  epoch: 'e',
  head: 1,
  last: 0,
  server_time: 0,
  max_payload: 1_000_000,
  entities: { users: shape, orders: shape },
}

/** Rows of `users`, or ids that are gone, by the places where they changed. */
export function batch(
  from: number | null,
  to: number,
  rows: Readonly<Record<number, Values | string>>,
): object {
  const all = Object.entries(rows)
  return {
    type: 'batch',
    scopes: ['users'],
    from: from === null ? null : place(from),
    to: place(to),
    sets: [
      {
        entity: 'users',
        rows: all.flatMap(([seq, row]) =>
          typeof row === 'string' ? [] : [[Number(seq), ...columns.map(name => row[name] ?? null)]],
        ),
        gone: all.flatMap(([seq, row]) => (typeof row === 'string' ? [[row, Number(seq)]] : [])),
      },
    ],
  }
}

type Delta = readonly [seq: number, id: string, changeType: 'create' | 'update' | 'delete', values: Values]

export function response(syncId: string, to: number, deltas: readonly Delta[], more = {}): object {
  return {
    type: 'sync:response',
    syncId,
    data: {
      clientId: 'c',
      entityType: 'users',
      deltas: deltas.map(([seq, entityId, changeType, values]) => ({
        entityType: 'users',
        entityId,
        changes: Object.entries(values).map(([field, newValue]) => ({
          field,
          newValue: changeType === 'delete' ? null : newValue,
          changeType,
          timestamp: 1,
        })),
        vectorClock: clock(seq, { [entityId]: seq }),
        timestamp: 1,
      })),
      currentVectorClock: clock(to),
      serverLamportClock: { counter: to, nodeId: 'e', timestamp: 1 },
      qualityMetrics: { qualityScore: 1, latency: 0, packetLoss: 0, jitter: 0, connectionStability: 1 },
      timestamp: 1,
      ...more,
    },
  }
}

/** Says what a test makes it say. */
class Wire {
  readyState = 1
  bufferedAmount = 0
  onopen: (() => void) | null = null
  onmessage: ((event: { data: string }) => void) | null = null
  onclose: unknown = null
  readonly sent: Sent[] = []

  send(text: string): void {
    this.sent.push(JSON.parse(text) as Sent)
  }

  close(): void {
    this.readyState = 3
  }

  async say(...messages: object[]): Promise<void> {
    for (const message of messages) {
      this.onmessage?.({ data: JSON.stringify(message) })
      await settle()
    }
  }

  /** The ids and the places of the questions that were asked. */
  questions(): [string, number][] {
    return this.sent.flatMap(({ type, syncId = '', data }) =>
      type === 'sync:request' ? [[syncId, data?.lastKnownVectorClock.cursor.seq ?? -1]] : [],
    )
  }
}

interface Rig {
  readonly client: DifferentialSyncClient
  readonly env: FakeEnv
  readonly wire: Wire
  /** What was told of rows, in order: the event, and each row with the fields. */
  readonly told: string[]
  /** Asks, and notes how it ended. */
  ask(): { readonly ended: unknown[]; readonly id: string }
}

const named = (deltas: readonly { entityId: string; changes: readonly { field: string }[] }[]): string =>
  deltas.map(({ entityId, changes }) => [entityId, ...changes.map(({ field }) => field)].join('.')).join(' ')

/** Followed, or not any more, with one row at place 1. */
export async function rig(followed: boolean): Promise<Rig> {
  const wire = new Wire()
  const env = new FakeEnv()
  const client = new DifferentialSyncClient({
    clientId: 'c',
    websocketUrl: 'ws://x',
    entityTypes: ['users', 'orders'],
    syncTimeout: 1000,
    retryDelay: 100,
    maxRetries: 1,
    env,
    webSocket: () => wire as unknown as WebSocket, // reason: the few members that a transport uses
  })
  const told: string[] = []
  const note = <K extends keyof DifferentialEvents>(
    event: K,
    say: (detail: DifferentialEvents[K]) => string,
  ): void => void client.on(event, detail => void told.push(`${event} ${say(detail)}`))
  note('sync:delta', delta => named([delta]))
  note('sync:response', ({ deltas }) => named(deltas))
  note('deltas:processed', ({ deltas }) => named(deltas))
  const connected = client.connect()
  wire.onopen?.()
  await wire.say(welcome)
  await connected
  const subscribed = client.subscribe('users')
  await wire.say(batch(null, 1, { 1: { id: 'u', status: 'a', name: 'U' } }))
  await subscribed
  if (!followed) await client.unsubscribe('users')
  await settle()
  told.length = 0
  return {
    client,
    env,
    wire,
    told,
    ask() {
      const ended: unknown[] = []
      void client.requestSync('users').then(
        deltas => ended.push(named(deltas)),
        (error: { code: string }) => ended.push(error.code),
      )
      const id = (): string => wire.questions().at(-1)?.[0] ?? ''
      return {
        ended,
        get id() {
          return id()
        },
      }
    },
  }
}

export const state = ({ client }: Rig): object => client.getLocalState('users')

test('[W3] a question that nothing crosses is answered, and told once', async () => {
  const it = await rig(true)
  const asked = it.ask()
  await settle()
  await it.wire.say(response(asked.id, 2, [[2, 'v', 'create', { id: 'v' }]]))
  expect([asked.ended, it.told]).toEqual([['v.id'], ['sync:response v.id', 'deltas:processed v.id']])
})
