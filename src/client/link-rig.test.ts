// What the tests of the link are played on: a machine under the test's hand, and what must hold after every step.
import { expect, test } from 'vitest'
import type { BackoffPolicy } from '../core/index.ts'
import { newLink, stepLink } from './link.ts'
import type { LaneName, LinkEffect, LinkEvent } from './link.ts'
import { upkeep } from './upkeep.ts'

/** A link under the test's hand: `step` gives it an event, `pass` lets time go by with its timers on time. */
export function linkRig(
  transports = 1,
  chance = 0,
  loaded = true,
  policy?: BackoffPolicy,
  patience: number | null = null,
) {
  const link = newLink(transports, loaded ? upkeep : null, policy, patience)
  let now = 1_000_000
  const step = (event: LinkEvent, ms = 0): string[] => {
    now += ms
    return stepLink(link, event, now, chance).map(show)
  }
  const next = (): number => Math.min(...link.due.values())
  /** The timer fires now, whatever the clock says. */
  const tick = (buffered = 0): string[] => step({ type: 'tick', asked: next(), buffered })
  const pass = (ms: number, buffered = 0): string[] => {
    const end = now + ms
    const seen: string[] = []
    while (next() <= end) {
      now = next()
      seen.push(...tick(buffered))
    }
    now = end
    return seen
  }
  const opened = (lane: LaneName = 'best'): string[] => step({ type: 'opened', lane })
  const welcome = (lane: LaneName = 'best'): string[] => step({ type: 'alive', lane, frame: 'welcome' })
  const frame = (lane: LaneName = 'best'): string[] => step({ type: 'alive', lane, frame: 'frame' })
  const comment = (lane: LaneName = 'best'): string[] => step({ type: 'alive', lane, frame: null })
  const closed = (lane: LaneName = 'best', code = 1006, retryAfterMs: number | null = null): string[] =>
    step({ type: 'closed', lane, code, reason: '', retryAfterMs })
  const start = (): string[] => step({ type: 'start' })
  const hint = (hint: Extract<LinkEvent, { type: 'hint' }>['hint']): string[] => step({ type: 'hint', hint })
  const ready = (): void => {
    start()
    opened()
    welcome()
  }
  const due = (): Record<string, number> =>
    Object.fromEntries(Array.from(link.due, ([name, at]) => [name, at - now]))
  /** The clock is set; no time goes by. */
  const setClock = (ms: number): void => void (now += ms)
  return {
    link,
    step,
    tick,
    pass,
    opened,
    welcome,
    frame,
    comment,
    closed,
    start,
    hint,
    ready,
    due,
    setClock,
  }
}

function show(effect: LinkEffect): string {
  if (effect.do === 'connect') return `connect ${effect.lane} ${effect.transport}`
  return 'lane' in effect ? `${effect.do} ${effect.lane}` : effect.do
}

/** One carrier at most, nobody stuck, no timer for nothing. */
export function expectSound({ link }: ReturnType<typeof linkRig>, effects: readonly string[]): void {
  const { lane, due, carrier, state } = link
  const lanes = ['best', 'spare'] as const
  for (const name of lanes) {
    const carrying = lane[name] === 'greeting' || lane[name] === 'ready'
    expect(carrying).toBe(carrier === name)
    if (lane[name] === 'proving') expect(carrier).not.toBe(null)
    // whoever owes an answer is waited for
    if (lane[name] !== 'ready') expect(due.has(name)).toBe(lane[name] !== 'off')
    else expect(due.has(name) || due.has('ping')).toBe(true)
  }
  if (carrier === null || lane[carrier] !== 'ready') expect(due.has('ping')).toBe(false)
  const quiet = lanes.every(name => lane[name] === 'off')
  if (state === 'idle' || state === 'stopped') expect([quiet, due.size]).toEqual([true, 0])
  else if (lane.best === 'off') expect(due.has('retry') || link.loading).toBe(true)
  if (state === 'waiting') expect(quiet).toBe(true)
  if (state === 'connecting') expect(quiet && !link.loading).toBe(false)
  if (state === 'greeting' || state === 'ready') expect(carrier).not.toBe(null)
  // the old one is lost before the new one is greeted
  const opened = effects.indexOf('opened')
  if (opened >= 0 && effects.includes('lost')) expect(effects.indexOf('lost')).toBeLessThan(opened)
}

test('a fresh link wants nothing', () => {
  const rig = linkRig()
  expectSound(rig, [])
  expect(rig.link.state).toBe('idle')
})
