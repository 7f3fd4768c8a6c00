import { describe, expect, test } from 'vitest'
import { newLink, stepLink } from './link.ts'
import type { LinkEffect, LinkEvent } from './link.ts'

function rig(transports = 1, chance = 0) {
  const link = newLink(transports)
  let now = 0
  const step = (event: LinkEvent, ms = 0): string[] => {
    now += ms
    return stepLink(link, event, now, chance).map(show)
  }
  const ready = (): void => {
    step({ type: 'start' })
    step({ type: 'opened' })
    step({ type: 'alive', welcome: true })
  }
  const closed = (code = 1006, retryAfterMs: number | null = null): string[] =>
    step({ type: 'closed', code, reason: '', retryAfterMs })
  const timer = (name: 'answer' | 'ping' | 'pong' | 'retry', ms: number, buffered = 0): string[] =>
    step({ type: 'timer', timer: name, buffered }, ms)
  return { link, step, ready, closed, timer }
}

function show(effect: LinkEffect): string {
  switch (effect.do) {
    case 'connect':
      return `connect ${effect.transport}`
    case 'close':
      return `close ${effect.code}`
    case 'timer':
      return `${effect.timer} ${effect.ms}`
    case 'cancel':
      return `cancel ${effect.timer}`
    default:
      return effect.do
  }
}

describe('connecting', () => {
  test('[K1] made at welcome, and only there the counter is reset', () => {
    const { link, step, closed } = rig()
    expect(step({ type: 'start' })).toEqual(['answer 10000', 'connect 0'])
    expect(link).toMatchObject({ state: 'connecting', attempt: 0 })
    closed()
    step({ type: 'timer', timer: 'retry', buffered: 0 }, 1000)
    expect(step({ type: 'opened' })).toEqual(['answer 10000', 'opened'])
    expect(link).toMatchObject({ state: 'greeting', attempt: 1 })
    step({ type: 'alive', welcome: false })
    expect(link).toMatchObject({ state: 'greeting', attempt: 1 })
    expect(step({ type: 'alive', welcome: true })).toEqual(['cancel answer', 'ping 30000'])
    expect(link).toMatchObject({ state: 'ready', attempt: 0 })
  })

  test('[K2] the documented ladder, jitter downwards only', () => {
    for (const [chance, delays] of [
      [0, [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]],
      [1, [800, 1600, 3200, 6400, 12_800, 24_000, 24_000]],
    ] as const) {
      const { link, step, closed, timer } = rig(1, chance)
      step({ type: 'start' })
      for (const [i, ms] of delays.entries()) {
        expect(closed()).toEqual(['cancel answer', 'lost', `retry ${ms}`])
        expect(link).toMatchObject({
          state: 'waiting',
          attempt: i + 1,
          delay: Math.min(30_000, 1000 * 2 ** i),
        })
        timer('retry', ms)
      }
    }
  })

  test('a welcome must come within 10 s', () => {
    const { link, step, timer } = rig()
    step({ type: 'start' })
    step({ type: 'opened' })
    expect(timer('answer', 10_000)).toEqual(['close 1000', 'lost', 'retry 1000'])
    expect(link).toMatchObject({ state: 'waiting', code: 1006, reason: 'no answer' })
  })

  test('the first round tries all transports without delay, and the winner is remembered', () => {
    const { link, step, closed, timer } = rig(2)
    step({ type: 'start' })
    expect(closed()).toEqual(['cancel answer', 'lost', 'answer 10000', 'connect 1'])
    step({ type: 'opened' })
    step({ type: 'alive', welcome: true })
    expect(closed(1012)).toContain('retry 1000')
    expect(timer('retry', 1000)).toEqual(['answer 10000', 'connect 1'])
    // what worked is tried alone for a while, then whole rounds again
    for (let attempt = 2; attempt <= 3; attempt++) {
      expect(closed()).toContain(`retry ${attempt === 2 ? 2000 : 4000}`)
      timer('retry', 4000)
    }
    expect(closed()).toContain('connect 0')
    expect(closed()).toContain('retry 8000')
    expect(link.attempt).toBe(4)
  })

  test('a round ends where every transport failed', () => {
    const { step, closed, timer } = rig(2)
    step({ type: 'start' })
    closed()
    expect(closed()).toContain('retry 1000')
    expect(timer('retry', 1000)).toContain('connect 0')
  })
})

describe('closing', () => {
  test('[K4] [Q7] retry, authenticate, or stop: a fenced client does not come back by itself', () => {
    for (const [code, state, why] of [
      [1006, 'waiting', null],
      [1012, 'waiting', null],
      [4999, 'waiting', null],
      [4401, 'stopped', 'auth'],
      [4403, 'stopped', 'auth'],
      [4409, 'stopped', 'stop'],
      [4400, 'stopped', 'stop'],
    ] as const) {
      const { link, ready, closed, step } = rig()
      ready()
      closed(code)
      expect(link).toMatchObject({ state, why, code })
      if (state === 'stopped') {
        expect(step({ type: 'hint', hint: 'online' })).toEqual([])
        expect(step({ type: 'start' })).toContain('connect 0')
      }
    }
  })

  test('[K2] retry-after is obeyed where it is longer', () => {
    const { link, ready, closed } = rig(2)
    ready()
    expect(closed(1013, 7000)).toContain('retry 7000')
    expect(link).toMatchObject({ retryAt: 7000, delay: 7000 })
  })

  test('[K2] retry-after of a refused connection ends the round', () => {
    const { step, closed } = rig(2)
    step({ type: 'start' })
    expect(closed(1013, 500)).toContain('retry 1000')
  })

  test("stop closes, forgets timers, and a late close is nobody's", () => {
    const { link, ready, step, closed } = rig()
    ready()
    expect(step({ type: 'stop' })).toEqual(['close 1000', 'lost', 'cancel ping'])
    expect(link.state).toBe('idle')
    expect(closed()).toEqual([])
    expect(step({ type: 'stop' })).toEqual([])
  })
})

describe('signs of life', () => {
  test('[K3] a ping every 30 s of silence, 5 s for the answer', () => {
    const { link, ready, step, timer } = rig()
    ready()
    expect(timer('ping', 30_000)).toEqual(['pong 5000', 'ping'])
    expect(step({ type: 'alive', welcome: false }, 100)).toEqual(['cancel pong', 'ping 30000'])
    timer('ping', 30_000)
    expect(timer('pong', 5000)).toEqual(['close 1000', 'lost', 'retry 1000'])
    expect(link).toMatchObject({ state: 'waiting', reason: 'ping timeout' })
  })

  test('[K3] any frame moves the ping on', () => {
    const { ready, step, timer } = rig()
    ready()
    expect(step({ type: 'alive', welcome: false }, 20_000)).toEqual([])
    expect(timer('ping', 10_000)).toEqual(['ping 20000'])
    expect(timer('ping', 20_000)).toEqual(['pong 5000', 'ping'])
  })

  test('[K2] a wall clock that is set back delays nothing; a pause ends after five minutes', () => {
    const { step, closed, timer, ready } = rig()
    step({ type: 'start' })
    closed()
    expect(timer('retry', 1000 - 3_600_000)).toEqual(['answer 10000', 'connect 0'])
    closed(1013, 30 * 86_400_000)
    expect(timer('retry', 300_000)).toEqual(['answer 10000', 'connect 0'])
    expect(closed(1013, 30 * 86_400_000).at(-1)).toBe('retry 300000')
    ready()
    expect(timer('ping', 30_000 - 3_600_000)).toEqual(['ping 30000'])
  })

  test('[K3] a late timer proves nothing: it probes', () => {
    const { link, ready, timer } = rig()
    ready()
    timer('ping', 30_000)
    expect(timer('pong', 600_000)).toEqual(['pong 5000', 'ping'])
    expect(link.state).toBe('ready')
    expect(timer('pong', 5000)).toContain('lost')
  })

  test('[K3] while our own bytes are leaving, there is no verdict', () => {
    const { ready, timer } = rig()
    ready()
    timer('ping', 30_000)
    expect(timer('pong', 5000, 900)).toEqual(['pong 5000'])
    expect(timer('pong', 5000, 500)).toEqual(['pong 5000'])
    expect(timer('pong', 5000, 500)).toContain('lost')
  })

  test('hints probe what is open and hurry what waits', () => {
    const { link, ready, step, closed } = rig()
    ready()
    for (const hint of ['online', 'visible', 'resume', 'offline'] as const) {
      expect(step({ type: 'hint', hint })).toEqual(['pong 5000', 'ping'])
      expect(step({ type: 'hint', hint })).toEqual([])
      step({ type: 'alive', welcome: false })
    }
    closed()
    expect(step({ type: 'hint', hint: 'offline' })).toEqual([])
    expect(step({ type: 'hint', hint: 'hide' })).toEqual([])
    expect(step({ type: 'hint', hint: 'online' })).toEqual(['cancel retry', 'answer 10000', 'connect 0'])
    expect(link).toMatchObject({ state: 'connecting', attempt: 1, retryAt: null })
  })
})
