// A differential client against a real server, what it told, and the sockets that it opened.
import { DifferentialSyncClient } from 'syncline/differential'
import type { DifferentialEvents, DifferentialSyncClientOptions } from 'syncline/differential'
import { platformEnv } from 'syncline/client'
import type { ClientEnv } from 'syncline/client'
import { later, startApp, until } from './app.ts'
import type { App, AppOptions } from './app.ts'

export const tables = `
  CREATE TABLE users (id TEXT PRIMARY KEY, status TEXT, name TEXT, email TEXT, lastSeen INTEGER);
  CREATE TABLE orders (id TEXT PRIMARY KEY, status TEXT, price INTEGER);
  CREATE TABLE settings (id TEXT PRIMARY KEY, theme TEXT);
`

export const startTables = (more: AppOptions = {}): Promise<App> =>
  startApp({ schema: tables, entities: ['users', 'orders', 'settings'], ...more })

type EventName = keyof DifferentialEvents

export type Told = { [K in EventName]: readonly [event: K, detail: DifferentialEvents[K]] }[EventName]

const names: readonly EventName[] = [
  'connected',
  'disconnected',
  'error',
  'reconnect:scheduled',
  'reconnect:failed',
  'sync:requested',
  'sync:response',
  'sync:delta',
  'sync:performance',
  'state:updated',
  'state:change',
  'delta:processed',
  'deltas:processed',
  'quality:updated',
  'bandwidth:validated',
  'subscribed',
  'unsubscribed',
  'storage',
]

export interface Rig {
  readonly client: DifferentialSyncClient
  readonly told: Told[]
  /** The names of what was told, in order. */
  readonly names: () => string[]
  readonly of: <K extends EventName>(event: K) => DifferentialEvents[K][]
  /** What went over its sockets. */
  readonly up: string[]
  readonly down: string[]
  readonly sockets: WebSocket[]
  /** Comes as if the server had sent it. */
  readonly feed: (text: string) => void
}

/** The same tables on the same port, once `app` has stopped. */
export const startAgain = ({ file, port }: App): Promise<App> =>
  startApp({ file, port, schema: '', entities: ['users', 'orders', 'settings'] })

/** Disconnected when the test is over. */
export function rig(
  url: string,
  options: Partial<DifferentialSyncClientOptions> = {},
  held: (text: string) => boolean = () => false,
): Rig {
  const up: string[] = []
  const down: string[] = []
  const sockets: WebSocket[] = []
  const webSocket = (address: string): WebSocket => {
    const socket = new WebSocket(address)
    const send = socket.send.bind(socket)
    Object.assign(socket, {
      send(text: string) {
        up.push(text)
        if (!held(text)) send(text)
      },
    })
    socket.addEventListener('message', ({ data }) => void down.push(String(data)))
    sockets.push(socket)
    return socket
  }
  const client = new DifferentialSyncClient({
    clientId: 'admin-dashboard-123',
    websocketUrl: url.replace('http', 'ws'),
    entityTypes: ['users', 'orders', 'settings'],
    webSocket,
    ...options,
  })
  later(() => client.disconnect())
  const told: Told[] = []
  for (const name of names)
    // reason: each entry pairs an event with its own detail
    client.on(name, detail => void told.push([name, detail] as unknown as Told))
  return {
    client,
    told,
    names: () => told.map(([event]) => event),
    of: event => told.flatMap(([name, detail]) => (name === event ? [detail as never] : [])),
    up,
    down,
    sockets,
    feed: text => void sockets.at(-1)?.dispatchEvent(new MessageEvent('message', { data: text })),
  }
}

export async function connected(
  url: string,
  options: Partial<DifferentialSyncClientOptions> = {},
  held?: (text: string) => boolean,
): Promise<Rig> {
  const made = rig(url, options, held)
  await made.client.connect()
  return made
}

export const settled = ({ client }: Rig): Promise<boolean> =>
  until('the settled edits', () => client.getSyncStatus().pendingChanges === 0)

export interface TestTime {
  readonly env: ClientEnv
  chance: number
  /** Milliseconds of the timers that are set. */
  timers(): number[]
  /** So many milliseconds go by, with their timers. */
  pass(ms: number): Promise<void>
}

/** The client's clock and timers under the test's hand; its sockets are real. */
export function testTime(start = 1_700_000_000_000): TestTime {
  const timers = new Set<{ readonly at: number; readonly run: () => void }>()
  let now = start
  const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))
  const due = (end: number): { at: number; run: () => void } | undefined =>
    [...timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0]
  const time: TestTime = {
    chance: 0,
    env: {
      ...platformEnv(),
      now: () => now,
      random: () => time.chance,
      after(ms, run) {
        const timer = { at: now + ms, run }
        timers.add(timer)
        return () => timers.delete(timer)
      },
    },
    timers: () => [...timers].map(({ at }) => at - now).sort((a, b) => a - b),
    async pass(ms) {
      const end = now + ms
      await turn()
      for (let timer = due(end); timer !== undefined; timer = due(end)) {
        timers.delete(timer)
        now = Math.max(now, timer.at)
        timer.run()
        await turn()
      }
      now = end
    },
  }
  return time
}
