// A server that gives little: in some worlds everything that may be refused, held back or sent away is, and the oracles
// ask for the same as in all others.
import type { ServerLimits } from '../server/index.ts'
import { seededRandom } from './random.ts'

export function worldLimits(seed: number, scarce: boolean): Partial<ServerLimits> {
  const random = seededRandom(seed)
  const common = { maxBuffered: 4096 }
  random.next()
  if (!scarce) return common
  return {
    ...common,
    maxBufferedTotal: 6_000,
    maxCatchUps: random.between(1, 2),
    maxWaitingCatchUps: random.between(1, 3),
    helloTimeout: 10_000,
    controlRate: { perSecond: random.between(1, 5), burst: random.between(1, 4) },
    dataRate: { perSecond: random.between(2, 20), burst: random.between(1, 5) },
    userDataRate: { perSecond: random.between(4, 40), burst: random.between(1, 10) },
    userControlRate: { perSecond: random.between(2, 10), burst: random.between(1, 10) },
  }
}
