import { expect, test } from 'vitest'
import { fakePeer } from '../testing/fake-peer.ts'
import { ByteBudget, leastBytes } from './budget.ts'
import { Inbox, Refusal } from './inbox.ts'
import { defaultServerLimits } from './limits.ts'

function open(budget = new ByteBudget(Infinity)): { inbox: Inbox; said: string[] } {
  const said: string[] = []
  const inbox = new Inbox(
    fakePeer('websocket', {
      pause: () => void said.push('pause'),
      resume: () => void said.push('resume'),
    }),
    defaultServerLimits,
    budget,
    () => 0,
  )
  return { inbox, said }
}

/** Refusal is no Error, so `toThrow` cannot look at it. */
function refusalOf(put: () => void): Refusal | null {
  try {
    put()
  } catch (error) {
    if (error instanceof Refusal) return error
  }
  return null
}

const ping = JSON.stringify({ type: 'ping' })
const large = JSON.stringify({ type: 'ping', padding: 'x'.repeat(1024 * 1024 - 100) })

test('[S4] 2,000 waiting messages stop the sender until a quarter is left', () => {
  const { inbox, said } = open()
  for (let i = 0; i < 2000; i++) inbox.put(ping)
  expect([inbox.full, said]).toEqual([true, ['pause']])
  while (inbox.size > 500) inbox.take()
  expect([inbox.full, said]).toEqual([true, ['pause']])
  inbox.take()
  expect([inbox.full, said]).toEqual([false, ['pause', 'resume']])
})

test.each(['put', 'putParsed'] as const)('[S4] few large messages stop the sender too (%s)', way => {
  const { inbox, said } = open()
  const give = (): void => (way === 'put' ? inbox.put(large) : inbox.putParsed(JSON.parse(large)))
  for (let i = 0; i < 4; i++) give()
  expect(inbox.full).toBe(false)
  give()
  expect([inbox.full, said]).toEqual([true, ['pause']])
  for (let left = 4; left > 1; left--) inbox.take()
  expect(inbox.full).toBe(true)
  inbox.take()
  expect(inbox.size).toBe(1)
  expect([inbox.full, said]).toEqual([false, ['pause', 'resume']])
  inbox.take()
  for (let i = 0; i < 4; i++) give()
  expect(inbox.full).toBe(false)
})

test('[S1] [Q4] edits that cannot be decoded are refused one by one and are no abuse', () => {
  const { inbox } = open()
  for (let n = 1; n <= 50; n++) {
    const edit = JSON.stringify({ type: 'mutate', acked: 0, mutations: [{ n, writes: 'none' }] })
    expect(refusalOf(() => inbox.put(edit))).toMatchObject({ type: 'mutate', n })
    expect(inbox.abused).toBe(false)
  }
})

test('[S6] unknown types are no abuse, nonsense is', () => {
  const { inbox } = open()
  for (let i = 0; i < 50; i++) expect(() => inbox.put('{"type":"news"}')).toThrow(/unknown message type/)
  expect(inbox.abused).toBe(false)
  for (let i = 0; i < 20; i++) expect(() => inbox.put('{')).toThrow(/JSON/)
  expect(inbox.abused).toBe(true)
})

test('[G5] while the process holds too much, a sender is stopped at 64 KiB; what is handled or dropped is given back', () => {
  const budget = new ByteBudget(2 * 1024 * 1024)
  const [one, other] = [open(budget), open(budget)]
  one.inbox.put(large)
  other.inbox.put(large)
  expect([one.said, other.said, budget.tight]).toEqual([[], [], false])
  one.inbox.put(large)
  expect([one.said, budget.tight]).toEqual([['pause'], true])
  other.inbox.put(ping)
  expect(other.said).toEqual(['pause'])
  const third = open(budget)
  third.inbox.put(ping)
  expect(third.said).toEqual([])
  third.inbox.put(JSON.stringify({ type: 'ping', padding: 'x'.repeat(leastBytes) }))
  expect(third.said).toEqual(['pause'])
  while (third.inbox.size > 0) third.inbox.take()
  expect(third.said).toEqual(['pause', 'resume'])
  for (const { inbox } of [one, other]) inbox.drop()
  expect([budget.used, budget.tight]).toEqual([0, false])
})
