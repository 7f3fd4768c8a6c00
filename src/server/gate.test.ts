import { expect, test } from 'vitest'
import { nodeEnv } from './env.ts'
import { Gate, Ticket } from './gate.ts'
import { defaultServerLimits } from './limits.ts'

function open(limits: { maxCatchUps: number; maxWaitingCatchUps: number }, chance = 0): Gate {
  return new Gate({ ...defaultServerLimits, ...limits }, { ...nodeEnv(), random: () => chance })
}

test('[G2] X40 so many are inside, the others follow in the order in which they came', async () => {
  const gate = open({ maxCatchUps: 2, maxWaitingCatchUps: 10 })
  const order: number[] = []
  const tickets = Array.from({ length: 6 }, () => new Ticket(gate))
  const entered = tickets.map(async (ticket, i) => {
    if (await ticket.enter()) order.push(i)
  })
  await Promise.resolve()
  expect(gate.stats).toEqual({ now: 2, waiting: 4, most: 2 })
  // one that gives up while it waits is skipped, and takes no place from others
  tickets[3]?.leave()
  for (const i of [1, 0, 2, 4, 5]) {
    tickets[i]?.leave()
    await new Promise(resolve => setImmediate(resolve))
  }
  await Promise.all(entered)
  expect(order).toEqual([0, 1, 2, 4, 5])
  expect(gate.stats).toEqual({ now: 0, waiting: 0, most: 2 })
})

test('[G2] X40 beyond the bounded queue they are sent away, spread over seconds; who was inside comes back', async () => {
  for (const [chance, retryAfterMs] of [
    [0, 1000],
    [0.5, 3000],
  ] as const) {
    const gate = open({ maxCatchUps: 1, maxWaitingCatchUps: 1 }, chance)
    const [inside, waiting, late] = [new Ticket(gate), new Ticket(gate), new Ticket(gate)]
    expect(await inside.enter()).toBe(true)
    const second = waiting.enter()
    await expect(late.enter()).rejects.toMatchObject({ code: 'OVERLOADED', retryAfterMs })
    inside.leave()
    expect(await second).toBe(true)
    const again = inside.enter(true)
    await expect(late.enter()).rejects.toMatchObject({ code: 'OVERLOADED' })
    const other = new Ticket(gate)
    const third = other.enter(true)
    other.leave()
    waiting.leave()
    expect([await again, await third]).toEqual([true, false])
  }
})

test('[G2] leaving twice gives back one place, also of work that fails', async () => {
  const gate = open({ maxCatchUps: 2, maxWaitingCatchUps: 0 })
  const ticket = new Ticket(gate)
  await ticket.enter()
  ticket.leave()
  ticket.leave()
  expect(gate.stats.now).toBe(0)
  const failing = gate.run(() => Promise.reject(new Error('broken')), false)
  expect(gate.stats.now).toBe(1)
  await expect(failing).rejects.toThrow('broken')
  expect(gate.stats.now).toBe(0)
})
