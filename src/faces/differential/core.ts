// The one client, made for this face: one WebSocket with the dialect before it and a meter behind it, and hints of the page
// only while somebody wants a connection.
import { allParts, clientOf, measured, platformEnv, webSocketTransport } from '../../client/index.ts'
import type { BareClient, ClientEnv, Engine, Hint, Quality } from '../../client/index.ts'
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
}

export function makeCore(
  settings: Settings,
  { webSocket = address => new WebSocket(address), debug }: DifferentialSyncClientOptions,
  env: ClientEnv,
  quality: Quality,
  host: CodecHost,
): Core {
  let engine: Engine | null = null
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
      ...allParts(),
      env: () => env,
      transports(url, compress) {
        const open = (): WebSocket => webSocket(addressOf(url, compress))
        return [differential(measured(webSocketTransport(url, compress, open), quality), host)]
      },
      more(made) {
        engine = made
        return {}
      },
    },
  )
  if (engine === null) throw new TypeError('the client has no engine')
  return { client, engine }
}
