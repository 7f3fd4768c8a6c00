// Whether a connection is alive, and whether it is there for anything. Asked every `beatMs`; decides, touches nothing but
// the peer's probe. Rules K12 and G4. Neighbour: the connection, which closes what is over.
import type { Peer } from './peer.ts'

export const beatMs = 5_000
/** Beats between two comments of an event stream: proxies cut what is silent. */
const commentBeats = 3
/** A connection is asked when nothing came for so long; 35 s after its last sign of life at the latest it is given up. */
const quietMs = 20_000
const probesMissed = 2

export type Finding = 'alive' | 'dead' | 'idle'

export class Pulse {
  readonly #peer: Peer
  readonly #now: () => number
  readonly #since: number
  readonly #helloMs: number
  /** When the last sign of life came. */
  #heard: number
  /** Since it was heard; of an event stream, since it began. */
  #beats = 0

  constructor(peer: Peer, now: () => number, helloMs: number) {
    this.#peer = peer
    this.#now = now
    this.#helloMs = helloMs
    this.#since = this.#heard = now()
  }

  hear(): void {
    this.#heard = this.#now()
  }

  /**
   * dead: it was asked twice and gave no sign of life. idle: it is there and has never asked for anything (`used`).
   * `waits`: it was told to wait, and is not read.
   */
  beat(waits: boolean, used: boolean): Finding {
    if (!used && !waits && this.#now() - this.#since > this.#helloMs) return 'idle'
    this.#beats += 1
    if (this.#peer.kind === 'sse') {
      // nothing ever comes up an event stream: that it is dead, the network says; on it, silence is cut short
      if (this.#beats % commentBeats === 0) this.#peer.probe()
      return 'alive'
    }
    if (waits || this.#now() - this.#heard < quietMs) {
      this.#beats = 0
      return 'alive'
    }
    // counted, not measured: a server that slept asks first
    if (this.#beats > probesMissed) return 'dead'
    this.#peer.probe()
    return 'alive'
  }
}
