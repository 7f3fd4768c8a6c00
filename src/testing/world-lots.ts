// What kind of world a seed is. Each lot is drawn from a stream of its own: every kind meets every other.
import { seededRandom } from './random.ts'
import type { WorldOptions } from './world-report.ts'

/** Beyond 32 bits, where seeds give streams of their own; what is behind the point of a seed is not in its stream. */
const lotsApart = 11 * 2 ** 32

export interface Lots {
  readonly wide: boolean
  readonly views: boolean
  readonly scopes: boolean
  readonly scarce: boolean
  readonly habits: boolean
}

/** What the options do not say. */
export function lotsOf({ seed, wide, views, scopes, scarce, habits }: WorldOptions): Lots {
  const random = seededRandom(seed + lotsApart)
  const lots = [0.5, 0.25, 0.25, 0.25, 0.25].map(share => random.chance(share))
  return {
    wide: wide ?? lots[0] === true,
    views: views ?? lots[1] === true,
    scopes: scopes ?? lots[2] === true,
    scarce: scarce ?? lots[3] === true,
    habits: habits ?? lots[4] === true,
  }
}
