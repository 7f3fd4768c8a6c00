// Carries the link's effects out: owns the connections and the one timer, decides nothing.
import type { ClientOptions, Status } from './api.ts'
import type { ClientEnv } from './env.ts'
import { climbing, newLink, stepLink } from './link.ts'
import type { LaneName, Link, LinkEffect, LinkEvent } from './link.ts'
import type { Upkeep } from './upkeep.ts'
import type { Connection, Transport } from './transport.ts'

export interface ConnectorEvents {
  opened(): void
  /** One frame of text; says what it was. Throws: the connection is given up. */
  frame(text: string): 'welcome' | 'frame' | null
  lost(): void
  /** The link's state, attempt or transport is another than before. */
  moved(previous: Link['state']): void
}

interface Wire {
  connection: Connection | null
}

export interface Connector {
  readonly link: Link
  readonly env: ClientEnv
  readonly transports: readonly Transport[]
  readonly events: ConnectorEvents
  /** Gives it to the link when it is there. */
  readonly load: () => Promise<unknown>
  readonly wires: Record<LaneName, Wire | null>
  /** When the timer fires; Infinity: none is set. */
  at: number
  cancel: () => void
}

export function createConnector(
  env: ClientEnv,
  transports: readonly Transport[],
  upkeep: Upkeep | null,
  load: () => Promise<unknown>,
  events: ConnectorEvents,
  { reconnect, connectTimeout }: Pick<ClientOptions, 'reconnect' | 'connectTimeout'> = {},
): Connector {
  const link = newLink(transports.length, upkeep, reconnect, connectTimeout)
  const wires = { best: null, spare: null }
  return { link, env, transports, events, load, wires, at: Infinity, cancel: () => {} }
}

export function drive(connector: Connector, event: LinkEvent): void {
  const { link, env, events } = connector
  const { state, attempt, transport } = link
  for (const effect of stepLink(link, event, env.now(), env.random())) carry(connector, effect)
  arm(connector)
  if (link.state !== state || link.attempt !== attempt || link.transport !== transport) events.moved(state)
}

export function send(connector: Connector, text: string): void {
  if (carrier(connector)?.send(text) === true) drive(connector, { type: 'sent' })
}

export function transportOf({ link, transports }: Connector): Pick<Status, 'transport' | 'trying'> {
  const name = (index: number): Transport['name'] => transports[index]?.name ?? 'local'
  return { transport: name(link.transport), trying: climbing(link) ? name(link.index.best) : null }
}

function carry(connector: Connector, effect: LinkEffect): void {
  const { wires, events } = connector
  switch (effect.do) {
    case 'connect':
      open(connector, effect.lane, effect.transport)
      break
    case 'close':
      close(connector, effect.lane)
      break
    case 'ping':
      wires[effect.lane]?.connection?.send('{"type":"ping"}')
      break
    case 'load':
      connector.load().catch(() => drive(connector, { type: 'loaded', upkeep: null }))
      break
    default:
      events[effect.do]()
  }
}

function close({ wires }: Connector, lane: LaneName): void {
  const wire = wires[lane]
  // events of a connection that was given up are nobody's
  wires[lane] = null
  wire?.connection?.close(1000, '')
}

/** After each step, from what the link says then: steps may lie within each other. A timer that is early finds nothing due. */
function arm(connector: Connector): void {
  const { link, env, at } = connector
  const next = Math.min(...link.due.values())
  if (next >= at && next < Infinity) return
  connector.cancel()
  connector.at = next
  if (next === Infinity) return
  connector.cancel = env.after(Math.max(0, next - env.now()), () => {
    connector.at = Infinity
    const buffered = carrier(connector)?.buffered() ?? 0
    drive(connector, { type: 'tick', asked: next, buffered })
  })
}

function carrier({ link, wires }: Connector): Connection | null | undefined {
  return link.carrier && wires[link.carrier]?.connection
}

function open(connector: Connector, lane: LaneName, index: number): void {
  const { wires, transports } = connector
  const wire: Wire = (wires[lane] = { connection: null })
  const own = (event: LinkEvent): void => {
    if (wires[lane] === wire) drive(connector, event)
  }
  const made = transports[index]?.connect({
    open: () => own({ type: 'opened', lane }),
    alive: () => own({ type: 'alive', lane, frame: null }),
    frame(text) {
      if (wires[lane] === wire) frame(connector, lane, text)
    },
    closed: (code, reason, retryAfterMs) => own({ type: 'closed', lane, code, reason, retryAfterMs }),
  })
  wire.connection = made ?? null
}

function frame(connector: Connector, lane: LaneName, text: string): void {
  try {
    // what answers on the other lane is no matter of the replica
    const kind = connector.link.carrier === lane ? connector.events.frame(text) : 'frame'
    if (kind !== null) drive(connector, { type: 'alive', lane, frame: kind })
  } catch (error) {
    close(connector, lane)
    drive(connector, { type: 'closed', lane, code: 1006, reason: String(error), retryAfterMs: null })
  }
}
