// Carries the link's effects out: owns the one connection and the timers, decides nothing.
import type { ClientEnv } from './env.ts'
import { connected, newLink, stepLink } from './link.ts'
import type { Link, LinkEffect, LinkEvent, Timer } from './link.ts'
import type { Connection, Transport } from './transport.ts'

export interface ConnectorEvents {
  opened(): void
  /** One frame of text; says what it was. Throws: the connection is given up. */
  frame(text: string): 'welcome' | 'frame' | null
  lost(): void
  /** The link's state or attempt is another than before. */
  moved(previous: Link['state']): void
}

export interface Connector {
  readonly link: Link
  readonly env: ClientEnv
  readonly transports: readonly Transport[]
  readonly events: ConnectorEvents
  readonly timers: Map<Timer, () => void>
  connection: Connection | null
  /** Counts connections: events of one that was given up are nobody's. */
  current: number
}

export function createConnector(
  env: ClientEnv,
  transports: readonly Transport[],
  events: ConnectorEvents,
): Connector {
  const link = newLink(transports.length)
  return { link, env, transports, events, timers: new Map(), connection: null, current: 0 }
}

export function drive(connector: Connector, event: LinkEvent): void {
  const { link, env, events } = connector
  const { state, attempt } = link
  for (const effect of stepLink(link, event, env.now(), env.random())) carry(connector, effect)
  if (link.state !== state || link.attempt !== attempt) events.moved(state)
}

export function send({ link, connection }: Connector, text: string): void {
  if (connected(link)) connection?.send(text)
}

function carry(connector: Connector, effect: LinkEffect): void {
  const { connection, timers, events } = connector
  switch (effect.do) {
    case 'connect':
      open(connector, effect.transport)
      break
    case 'close':
      connection?.close(effect.code, effect.reason)
      break
    case 'ping':
      connection?.send('{"type":"ping"}')
      break
    case 'timer':
      start(connector, effect.timer, effect.ms)
      break
    case 'cancel':
      timers.get(effect.timer)?.()
      break
    case 'opened':
      events.opened()
      break
    case 'lost':
      connector.current += 1
      connector.connection = null
      events.lost()
      break
  }
}

function start(connector: Connector, timer: Timer, ms: number): void {
  const { env, timers } = connector
  timers.get(timer)?.()
  const fire = (): void =>
    drive(connector, { type: 'timer', timer, buffered: connector.connection?.buffered() ?? 0 })
  timers.set(timer, env.after(ms, fire))
}

function open(connector: Connector, index: number): void {
  const mine = (connector.current += 1)
  const own = (event: LinkEvent): void => {
    if (mine === connector.current) drive(connector, event)
  }
  const made = connector.transports[index]?.connect({
    open: () => own({ type: 'opened' }),
    alive: () => own({ type: 'alive', welcome: false }),
    frame(text) {
      if (mine === connector.current) frame(connector, text)
    },
    closed: (code, reason, retryAfterMs) => own({ type: 'closed', code, reason, retryAfterMs }),
  })
  if (mine === connector.current) connector.connection = made ?? null
}

function frame(connector: Connector, text: string): void {
  try {
    const kind = connector.events.frame(text)
    if (kind !== null) drive(connector, { type: 'alive', welcome: kind === 'welcome' })
  } catch (error) {
    connector.connection?.close(1000, 'invalid message')
    drive(connector, { type: 'closed', code: 1006, reason: String(error), retryAfterMs: null })
  }
}
