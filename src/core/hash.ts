// The summary that both sides of a reconcile compare: 256 buckets of (id, seq), order-free within a bucket.

export const bucketCount = 256

/** Two independent 32-bit lanes over UTF-16 units (multiply-xor rounds with a final avalanche). */
function lanes(text: string): [number, number] {
  let a = 0x9e3779b9
  let b = 0x85ebca6b
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    a = Math.imul(a ^ unit, 0x27d4eb2f)
    b = Math.imul(b ^ unit, 0x165667b1)
  }
  a = Math.imul(a ^ (a >>> 15), 0x2c1b3c6d) ^ Math.imul(b ^ (b >>> 13), 0x297a2d39)
  b = Math.imul(b ^ (b >>> 16), 0x2c1b3c6d) ^ Math.imul(a ^ (a >>> 12), 0x297a2d39)
  return [a >>> 0, b >>> 0]
}

export function bucketOf(id: string): number {
  return lanes(id)[0] % bucketCount
}

/** Accumulates (id, seq) pairs into buckets; adding a pair twice removes it again. */
export class Summary {
  readonly #high = new Uint32Array(bucketCount)
  readonly #low = new Uint32Array(bucketCount)

  toggle(id: string, seq: number): void {
    const bucket = bucketOf(id)
    const [a, b] = lanes(`${seq}:${id}`)
    this.#high[bucket] = (this.#high[bucket] ?? 0) ^ (a & 0x1fffff)
    this.#low[bucket] = (this.#low[bucket] ?? 0) ^ b
  }

  /** One safe integer per bucket. */
  values(): number[] {
    return Array.from(this.#low, (low, i) => (this.#high[i] ?? 0) * 0x100000000 + low)
  }
}

/** The buckets in which two summaries differ. */
export function unequalBuckets(a: readonly number[], b: readonly number[]): number[] {
  const unequal: number[] = []
  for (let i = 0; i < bucketCount; i++) if (a[i] !== b[i]) unequal.push(i)
  return unequal
}
