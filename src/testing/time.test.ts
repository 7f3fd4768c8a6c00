import { expect, test } from 'vitest'
import { seededRandom } from './random.ts'
import { skewedClock, timersOf, virtualTime } from './time.ts'

test('events run in order of time, and promises between them', async () => {
  const time = virtualTime(seededRandom(1))
  const start = time.now()
  const log: string[] = []
  for (const ms of [30, 10, 20]) {
    time.after(ms, () => {
      log.push(`${time.now() - start}`)
      void Promise.resolve()
        .then(() => Promise.resolve())
        .then(() => log.push(`then ${ms}`))
    })
  }
  await time.run(25)
  expect(log).toEqual(['10', 'then 10', '20', 'then 20'])
  expect(time.now() - start).toBe(25)
  await time.run(100)
  expect(log.at(-1)).toBe('then 30')
})

test('ties are broken by the seed, and each order occurs', async () => {
  const order = async (seed: number): Promise<string> => {
    const time = virtualTime(seededRandom(seed))
    let log = ''
    for (const name of 'abc') time.after(5, () => (log += name))
    await time.run(5)
    return log
  }
  const seen = new Set<string>()
  for (let seed = 0; seed < 60; seed++) {
    const once = await order(seed)
    expect(await order(seed)).toBe(once)
    seen.add(once)
  }
  expect(seen.size).toBe(6)
})

test('a heap of many events, some cancelled, comes out sorted', async () => {
  const random = seededRandom(5)
  const time = virtualTime(random)
  const due: number[] = []
  const cancels = Array.from({ length: 1000 }, () => {
    const ms = random.int(500)
    return { ms, cancel: time.after(ms, () => due.push(ms)) }
  })
  const kept = cancels.filter((entry, i) => {
    if (i % 3 === 0) entry.cancel()
    return i % 3 !== 0
  })
  await time.run(500)
  expect(due).toEqual(kept.map(entry => entry.ms).sort((a, b) => a - b))
})

test('runUntil stops where it is done; errors are kept', async () => {
  const time = virtualTime(seededRandom(2))
  let count = 0
  const again = (): void => {
    count++
    time.after(10, again)
  }
  again()
  time.after(15, () => {
    throw new Error('boom')
  })
  expect(await time.runUntil(() => count === 4, 1000)).toBe(true)
  expect(count).toBe(4)
  expect(await time.runUntil(() => count === 1000, 100)).toBe(false)
  expect(time.errors).toHaveLength(1)
})

test('a skewed clock drifts and steps; timers die with their process', async () => {
  const time = virtualTime(seededRandom(3))
  const clock = skewedClock(time, -5000, 1.01)
  const real = time.now()
  expect(clock.now()).toBe(real - 5000)
  await time.run(1000)
  expect(clock.now()).toBe(real + 1010 - 5000)
  clock.step(60_000)
  expect(clock.now()).toBe(real + 1010 + 55_000)

  const timers = timersOf(time)
  let ran = 0
  timers.after(10, () => ran++)
  timers.after(20, () => ran++)
  await time.run(10)
  timers.stop()
  timers.after(1, () => ran++)
  await time.run(100)
  expect(ran).toBe(1)
})
