// An engine without a server: its store behind what a test puts before it, its connections without a network.
import { createSyncEngine, nodeEnv, sqliteStore } from 'syncline'
import type { Frame, Peer, ServerEnv, ServerLimits, ServerStore, SyncEngine, User } from 'syncline'
import { folder, later, openDatabase, until, usersAndPosts } from './app.ts'
import type { Handle } from './app.ts'
import type { WireFrame } from './wire.ts'

interface Setup {
  readonly db: Handle
  readonly engine: SyncEngine
}

/** An engine whose store the test stands in front of. */
export async function engineOver(
  stand: (inner: ServerStore) => Partial<ServerStore> = () => ({}),
  env: ServerEnv = nodeEnv(),
  limits: Partial<ServerLimits> = {},
): Promise<Setup> {
  const db = openDatabase(`${folder()}/app.db`)
  db.exec(usersAndPosts)
  const inner = sqliteStore(db, { env })
  const mine = stand(inner)
  const store = new Proxy(inner, {
    get(target, key: keyof ServerStore) {
      const found = mine[key] ?? target[key]
      return typeof found === 'function' ? found.bind(target) : found
    },
  })
  const logger = { debug() {}, info() {}, warn() {}, error() {} }
  const engine = await createSyncEngine({
    store,
    env,
    logger,
    access: 'public',
    entities: ['users', 'posts'],
    limits,
  })
  later(() => engine.close())
  return { db, engine }
}

/** A connection without a network: what it was sent, how it was closed, and how much of it was not taken yet. */
export function connect(engine: SyncEngine, kind: Peer['kind'] = 'websocket', user?: User) {
  const frames: WireFrame[] = []
  const ids: (number | null)[] = []
  const closed: unknown[][] = []
  const wire = { buffered: 0 }
  const connection = engine.connect(
    {
      kind,
      write(written: readonly Frame[]) {
        for (const frame of written) {
          frames.push(JSON.parse(frame.text) as WireFrame)
          ids.push(frame.eventId)
        }
      },
      buffered: () => wire.buffered,
      pause() {},
      resume() {},
      probe() {},
      close: (...how) => void closed.push(how),
    },
    user,
  )
  const send = (message: unknown): void => connection.frame(JSON.stringify(message))
  const got = (what: string, fits: (frame: WireFrame) => boolean): Promise<WireFrame> =>
    until(what, () => frames.find(fits))
  const hello = async (): Promise<WireFrame> => {
    send({ type: 'hello', protocol: 1, client: 'c1', lead: 1, acked: 0 })
    return got('a welcome', frame => frame.type === 'welcome')
  }
  const subscribe = (entity: string, more: object = {}): void =>
    send({ type: 'subscribe', scopes: [{ entity, cursor: null, marks: [], shape: null, ...more }] })
  return { connection, frames, ids, closed, wire, send, got, hello, subscribe }
}

/** Holds back whoever awaits `passed`. */
export function gate(): { passed: Promise<void>; open: () => void } {
  let open = (): void => {}
  const passed = new Promise<void>(resolve => (open = resolve))
  return { passed, open: () => open() }
}

/** An environment whose clock stands until it is moved; beats and turns (`due`) come when they are asked for. */
export function world(): { env: ServerEnv; pass: (ms: number) => void; beat: () => void; due: () => void } {
  const real = nodeEnv()
  let now = real.now()
  let next = (): void => {}
  const turns: (() => void)[] = []
  return {
    env: {
      ...real,
      now: () => now,
      after(ms, run) {
        if (ms === 5_000) next = run
        else if (ms <= 1_000) turns.push(run)
        else return real.after(ms, run)
        return () => {}
      },
    },
    pass: ms => void (now += ms),
    beat: () => next(),
    due() {
      for (const run of turns.splice(0)) run()
    },
  }
}
