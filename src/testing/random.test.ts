import { expect, test } from 'vitest'
import { randomOfState, seededRandom } from './random.ts'

test('the same seed draws the same numbers, another seed others', () => {
  const draw = (seed: number): number[] => {
    const random = seededRandom(seed)
    return Array.from({ length: 50 }, () => random.int(1000))
  }
  expect(draw(7)).toEqual(draw(7))
  const first = Array.from({ length: 2000 }, (_, seed) => seededRandom(seed).next())
  expect(new Set(first).size).toBe(2000)
})

test('the published sequence of xoshiro128** from the state 1, 2, 3, 4', () => {
  const random = randomOfState([1, 2, 3, 4])
  const words = Array.from({ length: 4 }, () => random.next() * 0x100000000)
  expect(words).toEqual([11_520, 0, 5_927_040, 70_819_200])
})

test('numbers are spread evenly, bit by bit and in pairs', () => {
  const random = seededRandom(42)
  const ones = Array.from({ length: 32 }, () => 0)
  const cells = Array.from({ length: 64 }, () => 0)
  const draws = 64_000
  let before = 0
  for (let i = 0; i < draws; i++) {
    const value = random.next()
    expect(value >= 0 && value < 1).toBe(true)
    const word = value * 0x100000000
    for (let bit = 0; bit < 32; bit++) ones[bit] = (ones[bit] ?? 0) + (Math.floor(word / 2 ** bit) % 2)
    const now = Math.floor(value * 8)
    cells[before * 8 + now] = (cells[before * 8 + now] ?? 0) + 1
    before = now
  }
  for (const count of ones) expect(Math.abs(count / draws - 0.5)).toBeLessThan(0.01)
  for (const count of cells) expect(Math.abs(count - draws / 64)).toBeLessThan(200)
})

test('helpers stay in their ranges and reach all of them', () => {
  const random = seededRandom(3)
  const seen = new Set(Array.from({ length: 500 }, () => random.between(-2, 2)))
  expect([...seen].sort((a, b) => a - b)).toEqual([-2, -1, 0, 1, 2])
  expect(new Set(random.shuffle([1, 2, 3, 4, 5]))).toEqual(new Set([1, 2, 3, 4, 5]))
  const orders = new Set(Array.from({ length: 400 }, () => random.shuffle([1, 2, 3]).join('')))
  expect(orders.size).toBe(6)
  const names = Array.from({ length: 1000 }, () => random.weighted({ rare: 1, often: 9, never: 0 }))
  expect(names.includes('never')).toBe(false)
  expect(names.filter(name => name === 'rare').length).toBeGreaterThan(50)
  expect(names.filter(name => name === 'rare').length).toBeLessThan(160)
  expect(random.hex(16)).toMatch(/^[0-9a-f]{16}$/)
  expect(() => random.pick([])).toThrow(RangeError)
})

test('a fork draws for itself', () => {
  const one = seededRandom(9)
  const other = seededRandom(9)
  const fork = one.fork()
  other.fork()
  for (let i = 0; i < 100; i++) fork.next()
  expect(one.next()).toBe(other.next())
})
