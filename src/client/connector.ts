// Carries the link's effects out: owns the one connection and the timers, decides nothing.
import type { ClientEnv, Hint } from './env.ts'
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
  start(): void
  stop(): void
  hint(hint: Hint): void
  send(text: string): void
}

export function createConnector(env: ClientEnv, transports: readonly Transport[], events: ConnectorEvents): Connector {
  const link = newLink(transports.length)
  const timers = new Map<Timer, () => void>()
  let connection: Connection | null = null
  // events of a connection that was given up are nobody's
  let current = 0

  function step(event: LinkEvent): void {
    const { state, attempt } = link
    for (const effect of stepLink(link, event, env.now(), env.random())) carry(effect)
    if (link.state !== state || link.attempt !== attempt) events.moved(state)
  }

  function carry(effect: LinkEffect): void {
    switch (effect.do) {
      case 'connect':
        open(effect.transport)
        break
      case 'close':
        connection?.close(effect.code, effect.reason)
        break
      case 'ping':
        connection?.send('{"type":"ping"}')
        break
      case 'timer':
        timers.get(effect.timer)?.()
        timers.set(effect.timer, env.after(effect.ms, () => step({ type: 'timer', timer: effect.timer, buffered: connection?.buffered() ?? 0 })))
        break
      case 'cancel':
        timers.get(effect.timer)?.()
        timers.delete(effect.timer)
        break
      case 'opened':
        events.opened()
        break
      case 'lost':
        current += 1
        connection = null
        events.lost()
        break
    }
  }

  function open(index: number): void {
    const mine = (current += 1)
    const own = (run: () => void) => (): void => {
      if (mine === current) run()
    }
    const made = transports[index]?.connect({
      open: own(() => step({ type: 'opened' })),
      alive: own(() => step({ type: 'alive', welcome: false })),
      frame: text => own(() => frame(text))(),
      closed: (code, reason, retryAfterMs) => own(() => step({ type: 'closed', code, reason, retryAfterMs }))(),
    })
    if (mine === current) connection = made ?? null
  }

  function frame(text: string): void {
    try {
      const kind = events.frame(text)
      if (kind !== null) step({ type: 'alive', welcome: kind === 'welcome' })
    } catch (error) {
      connection?.close(1000, 'invalid message')
      step({ type: 'closed', code: 1006, reason: String(error), retryAfterMs: null })
    }
  }

  return {
    link,
    start: () => step({ type: 'start' }),
    stop: () => step({ type: 'stop' }),
    hint: hint => step({ type: 'hint', hint }),
    send(text) {
      if (connected(link)) connection?.send(text)
    },
  }
}
