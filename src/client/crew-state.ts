// What a tab knows of the others, and of who leads them. Neighbours: `crew`, which hears it; the engine, which asks.
import type { Engine } from './engine.ts'
import type { Lead } from './lead.ts'
import type { Channel, LinkView, Lock, TabMessage, Told } from './tabs.ts'

export interface Crew {
  readonly name: string
  readonly lead: Lead
  channel: Channel | null
  lock: Lock | null
  /** The greatest lead that was heard of. */
  known: number
  /** That of the leader which this tab heard last; 0: none yet, of those that are here now. */
  heard: number
  /** The connection that it had before it came among others is its own until it is known who leads. */
  guest: boolean
  /** The leader's connection, as it said last; null: it was not heard yet. */
  link: LinkView | null
  /** The leader's: the last frame of that kind on this connection. */
  welcome: string | null
  /** Others may be behind what is on disk or in the leader's memory. */
  stale: boolean
  /** They are about to be told that what is on disk is new. */
  saying: boolean
  /** Another tab was heard: there may be followers. */
  others: boolean
  /** What came while the disk was read; null: it is not being read. */
  held: (() => void)[] | null
  again: Told | null
  /** Counts what this tab took over. */
  turn: number
  /** What other tabs want, and that they are gone, in order. */
  readonly said: TabMessage[]
  cancel: () => void
  /** Ends the looking after the leader. */
  unwatch: () => void
}

export function leads({ crew: { lead } }: Engine): boolean {
  return lead.role === 'alone' || lead.role === 'lead'
}

/** Whether the connection is this tab's own. */
export function connects(engine: Engine): boolean {
  return engine.crew.guest || leads(engine)
}
