// The one client, made for this face: one WebSocket with the dialect before it and a meter behind it, and hints of the page
// only while somebody wants a connection.
import {
  allParts,
  askForRecords,
  clientOf,
  conflictsOf,
  follow,
  measured,
  platformEnv,
  webSocketTransport,
} from '../../client/index.ts'
import type {
  BareClient,
  Client,
  ClientEnv,
  Conflict,
  Conflicts,
  Engine,
  Hint,
  Quality,
} from '../../client/index.ts'
import { conflictsName } from '../../core/index.ts'
import { tellOpen } from '../open-conflicts.ts'
import { differential } from './codec.ts'
import type { CodecHost } from './codec.ts'
import { addressOf } from './options.ts'
import type { DifferentialSyncClientOptions, Settings } from './options.ts'

export interface SwitchedEnv extends ClientEnv {
  /** Hints are heard, or not: whoever is not connected holds on to nothing of the page. */
  listen(wanted: boolean): void
}

/** `heard`: whether a hint is for us now. */
export function switchedEnv(given: ClientEnv | undefined, heard: () => boolean): SwitchedEnv {
  const env = given ?? platformEnv()
  const listeners = new Set<(hint: Hint) => void>()
  let stop: (() => void) | null = null
  return {
    now: () => env.now(),
    random: () => env.random(),
    after: (ms, run) => env.after(ms, run),
    unique: () => env.unique(),
    online: () => env.online(),
    visible: () => env.visible?.() ?? true,
    // each tab follows what it likes, so each is a client of its own, and one of them has the disk
    ...(env.tabs && { tabs: { ...env.tabs, channel: () => null } }),
    ...(env.notes && { notes: env.notes }),
    ...(env.saveData !== undefined && { saveData: env.saveData }),
    onHint(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    listen(wanted) {
      if (wanted === (stop !== null)) return
      stop?.()
      stop = wanted ? env.onHint(hint => heard() && [...listeners].map(tell => tell(hint))) : null
    },
  }
}

export interface Core {
  readonly client: BareClient
  readonly engine: Engine
  /** Its records are asked for when it is first used. */
  readonly conflicts: Conflicts
  /** Who is told of each that is open; the first call counts. */
  watch(this: void, tell: (conflict: Conflict) => void): void
}

export function makeCore(
  settings: Settings,
  { webSocket = address => new WebSocket(address), debug }: DifferentialSyncClientOptions,
  env: ClientEnv,
  quality: Quality,
  host: CodecHost,
): Core {
  let engine: Engine | null = null
  const parts = allParts()
  const client = clientOf(
    {
      url: settings.url,
      entities: settings.entityTypes,
      store: settings.store,
      name: `differential-${settings.clientId}`,
      strategy: settings.strategy ?? null,
      reconnect: settings.reconnect,
      connectTimeout: settings.connectTimeout,
      gather: 0,
      enableCompression: settings.enableCompression,
      autoConnect: false,
      ...(debug && { debug }),
    },
    {
      ...parts,
      env: () => env,
      transports(url, compress) {
        const open = (): WebSocket => webSocket(addressOf(url, compress))
        return [differential(measured(webSocketTransport(url, compress, open), quality), host)]
      },
      more(made) {
        engine = made
        return parts.more?.(made) ?? {}
      },
    },
  )
  if (engine === null) throw new TypeError('the client has no engine')
  const conflicts = conflictsOf(client, recordsOf(client, engine, settings))
  let watched = false
  return {
    client,
    engine,
    conflicts,
    watch(tell) {
      if (watched) return
      watched = true
      // who listens may still hold nothing of it
      queueMicrotask(() => tellOpen(conflicts, tell))
    },
  }
}

/** Records come whatever else is followed: somebody asked for them. */
function recordsOf(client: BareClient, engine: Engine, { entityTypes }: Settings): () => void {
  if (entityTypes.includes(conflictsName)) return () => follow(engine, conflictsName, true)
  const whole = client as Client // reason: this one has all parts
  return () => askForRecords(whole)
}
