// Chance by seed: xoshiro128**, whose state of 128 bits is filled from the seed by splitmix32, so that neighbouring
// seeds give unrelated runs. Everything random in a simulated world draws from here and nowhere else.

export interface Random {
  /** In [0, 1), 32 bits of it. */
  next(): number
  /** An integer in [0, below). */
  int(below: number): number
  /** An integer in [from, to], both included. */
  between(from: number, to: number): number
  /** True with this probability. */
  chance(probability: number): boolean
  /** One of them; throws on an empty list. */
  pick<T>(items: readonly T[]): T
  /** A shuffled copy. */
  shuffle<T>(items: readonly T[]): T[]
  /** One of the keys, each as likely as its weight says. */
  weighted<K extends string>(weights: Readonly<Record<K, number>>): K
  /** `length` lower-case hexadecimal digits. */
  hex(length: number): string
  /** A stream of its own: what is drawn from it later moves nothing here. */
  fork(): Random
}

export function seededRandom(seed: number): Random {
  const word = splitmix32(seed)
  return randomOfState([word(), word(), word(), word()])
}

/** Fills the state; the constant steps make even seed 0 a good one. */
function splitmix32(seed: number): () => number {
  let a = seed >>> 0
  // seeds beyond 32 bits differ too
  a ^= Math.imul(Math.floor(seed / 0x100000000) >>> 0, 0x85ebca6b)
  return () => {
    a = (a + 0x9e3779b9) | 0
    let t = a ^ (a >>> 16)
    t = Math.imul(t, 0x21f0aaad)
    t ^= t >>> 15
    t = Math.imul(t, 0x735a2d97)
    return (t ^ (t >>> 15)) >>> 0
  }
}

function rotated(x: number, by: number): number {
  return (x << by) | (x >>> (32 - by))
}

/** A generator in a given state; never all zeros. */
export function randomOfState(state: readonly [number, number, number, number]): Random {
  let [a, b, c, d] = state
  function word(): number {
    const result = Math.imul(rotated(Math.imul(b, 5), 7), 9) >>> 0
    const t = b << 9
    c ^= a
    d ^= b
    b ^= c
    a ^= d
    c ^= t
    d = rotated(d, 11)
    return result
  }
  const next = (): number => word() / 0x100000000
  const int = (below: number): number => Math.floor(next() * below)
  return {
    next,
    int,
    between: (from, to) => from + int(to - from + 1),
    chance: probability => next() < probability,
    pick: items => pick(items, int),
    shuffle: items => shuffle(items, int),
    weighted: weights => weighted(weights, next),
    hex: length => Array.from({ length }, () => int(16).toString(16)).join(''),
    fork: () => randomOfState([word(), word(), word(), word() | 1]),
  }
}

function pick<T>(items: readonly T[], int: (below: number) => number): T {
  if (items.length === 0) throw new RangeError('nothing to pick from')
  return items[int(items.length)] as T // reason: the index is below the length, which was checked above
}

function shuffle<T>(items: readonly T[], int: (below: number) => number): T[] {
  const left = [...items]
  const drawn: T[] = []
  while (left.length > 0) drawn.push(...left.splice(int(left.length), 1))
  return drawn
}

function weighted<K extends string>(weights: Readonly<Record<K, number>>, next: () => number): K {
  const keys = Object.keys(weights) as K[] // reason: Object.keys widens to string; the record's keys are K
  let at = next() * keys.reduce((sum, key) => sum + weights[key], 0)
  for (const key of keys) {
    at -= weights[key]
    if (at < 0) return key
  }
  return pick(keys, () => keys.length - 1)
}
