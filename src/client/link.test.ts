import { describe, expect, test } from 'vitest'
import { backoffPolicies } from '../core/index.ts'
import { expectSound, linkRig } from './link-rig.test.ts'
import type { LinkEvent } from './link.ts'
import { upkeep } from './upkeep.ts'

describe('connecting', () => {
  test('[K1] made at welcome, and only there the counter is reset', () => {
    const { link, start, closed, pass, opened, comment, frame, welcome, due } = linkRig()
    expect(start()).toEqual(['connect best 0'])
    expect(link).toMatchObject({ state: 'connecting', attempt: 0, hope: true })
    closed()
    expect(pass(1000)).toEqual(['connect best 0'])
    expect(opened()).toEqual(['opened'])
    expect(link).toMatchObject({ state: 'greeting', attempt: 1, carrier: 'best' })
    comment()
    frame()
    expect(link).toMatchObject({ state: 'greeting', attempt: 1 })
    expect(welcome()).toEqual([])
    expect(link).toMatchObject({ state: 'ready', attempt: 0, hope: true })
    expect(due()).toEqual({ ping: 30_000 })
  })

  test('[K2] T-B05 the documented ladder, jitter downwards only', () => {
    for (const [chance, delays] of [
      [0, [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]],
      [1, [800, 1600, 3200, 6400, 12_800, 24_000, 24_000]],
    ] as const) {
      const { link, start, closed, due, pass } = linkRig(1, chance)
      start()
      for (const [i, ms] of delays.entries()) {
        expect(closed()).toEqual([])
        expect(due()).toEqual({ retry: ms })
        expect(link).toMatchObject({
          state: 'waiting',
          hope: false,
          attempt: i + 1,
          delay: Math.min(30_000, 1000 * 2 ** i),
        })
        expect(pass(ms - 1)).toEqual([])
        expect(pass(1)).toEqual(['connect best 0'])
      }
    }
  })

  test('[W9] T-D12 a ladder with an end: nothing more by itself, all of it again when somebody asks', () => {
    const policy = { initial: 1000, max: 30_000, factor: 2, jitter: 0.5, attempts: 2 }
    for (const again of ['start', 'online'] as const) {
      const { link, start, closed, due, pass, hint } = linkRig(1, 0, true, policy)
      start()
      for (const ms of [1000, 2000]) {
        closed()
        expect(due()).toEqual({ retry: ms })
        expect(pass(ms)).toEqual(['connect best 0'])
      }
      closed()
      expect([due(), link.state, link.hope]).toEqual([{}, 'waiting', false])
      expect(again === 'start' ? start() : hint(again)).toEqual(['connect best 0'])
      closed()
      expect([due(), link.attempt]).toEqual([{ retry: 1000 }, 1])
    }
  })

  test('[W9] T-D12 without attempts a lost connection stays lost, also where the server says when to come back', () => {
    const { ready, closed, due, pass } = linkRig(1, 0, true, { ...backoffPolicies.rhtmx, attempts: 0 })
    ready()
    closed('best', 1012, 500)
    expect(due()).toEqual({})
    expect(pass(600_000)).toEqual([])
  })

  test('[W9] T-D14 one time for all of it, from the first byte to the welcome', () => {
    const { start, opened, due, pass } = linkRig(1, 0, true, backoffPolicies.rhtmx, 300)
    start()
    expect(due()).toEqual({ best: 300 })
    expect(pass(200)).toEqual([])
    expect(opened()).toEqual(['opened'])
    expect(pass(99)).toEqual([])
    expect(pass(1)).toEqual(['close best', 'lost'])
  })

  test('a welcome must come within 10 s', () => {
    const { link, start, opened, pass } = linkRig()
    start()
    opened()
    expect(pass(9_999)).toEqual([])
    expect(pass(1)).toEqual(['close best', 'lost'])
    expect(link).toMatchObject({ state: 'waiting', code: 1006, reason: 'no answer' })
  })

  test('[K9] a stream that begins and does not say which one it is within 3 s is held back', () => {
    const { start, comment, pass } = linkRig()
    start()
    pass(500)
    comment()
    expect(pass(2_999)).toEqual([])
    expect(pass(1)).toEqual(['close best'])
  })
})

describe('closing', () => {
  test('[K4] [Q7] retry, authenticate, or stop: a fenced client does not come back by itself', () => {
    for (const [code, state] of [
      [1006, 'waiting'],
      [1012, 'waiting'],
      [4999, 'waiting'],
      [4401, 'stopped'],
      [4403, 'stopped'],
      [4409, 'stopped'],
      [4400, 'stopped'],
    ] as const) {
      const { link, ready, closed, hint, start } = linkRig()
      ready()
      expect(closed('best', code)).toEqual(['lost'])
      expect(link).toMatchObject({ state, code })
      if (state === 'stopped') {
        const asked = code === 4401 || code === 4403
        for (const any of ['hide', 'offline', 'suspend'] as const) expect(hint(any)).toEqual([])
        if (!asked) for (const any of ['online', 'visible', 'resume'] as const) expect(hint(any)).toEqual([])
        expect(link.due.size).toBe(0)
        expect(start()).toContain('connect best 0')
      }
    }
  })

  test('[A7] T-A04 who has to sign in is looked for when the page is seen, at most twice a minute, and asks as soon as it is told to', () => {
    const { link, ready, closed, hint, start, opened, welcome, pass, setClock } = linkRig(2)
    ready()
    closed('best', 4401)
    let attempts = 0
    const seen = (): void => {
      for (const any of ['online', 'visible', 'resume', 'visible'] as const)
        for (const effect of hint(any)) {
          attempts += Number(effect.startsWith('connect'))
          if (effect.startsWith('connect')) closed('best', 4401)
        }
    }
    for (let second = 0; second < 60; second++) {
      seen()
      setClock(1000)
    }
    expect([attempts, link.state]).toEqual([2, 'stopped'])
    // by itself it does nothing at all
    expect(pass(3_600_000)).toEqual([])
    expect(start()).toEqual(['connect best 0'])
    closed('best', 4401)
    // the first look is not held up by it
    expect(hint('visible')).toEqual(['connect best 0'])
    opened()
    welcome()
    expect(link.state).toBe('ready')
    // and what comes after is none of it: a lost connection is made again at once
    closed('best', 1006)
    expect(link.due.get('retry')).toBeLessThanOrEqual(link.now + 1000)
  })

  test('[K2] X40 retry-after is obeyed where it is longer, also by hints, not by who asks for a connection', () => {
    const { link, ready, closed, due, hint, start } = linkRig(2)
    ready()
    closed('best', 1013, 7000)
    expect(due()).toEqual({ retry: 7000 })
    expect(link.delay).toBe(7000)
    expect(hint('visible')).toEqual([])
    expect(start()).toEqual(['connect best 0'])
  })

  test('[K2] a wall clock that is set back delays nothing; a pause ends after five minutes', () => {
    const { closed, tick, start, due, setClock, ready, hint } = linkRig()
    start()
    closed()
    setClock(1000 - 3_600_000)
    expect(tick()).toEqual(['connect best 0'])
    closed('best', 1013, 30 * 86_400_000)
    expect(due()).toEqual({ retry: 300_000 })
    start()
    ready()
    setClock(-3_600_000)
    expect(hint('hide')).toEqual([])
    expect(due()).toMatchObject({ ping: 30_000 })
  })

  test("stop closes, forgets timers, and a late close is nobody's", () => {
    const { link, ready, step, closed } = linkRig()
    ready()
    expect(step({ type: 'stop' })).toEqual(['close best', 'lost'])
    expect(link.state).toBe('idle')
    expect(link.due.size).toBe(0)
    expect(closed()).toEqual([])
    expect(step({ type: 'stop' })).toEqual([])
  })

  test('[K10] X35 a page that is left gives its connection up, and takes it up again at once', () => {
    const { link, ready, hint, due } = linkRig()
    ready()
    expect(hint('hide')).toEqual([])
    expect(hint('suspend')).toEqual(['close best', 'lost'])
    expect(link.state).toBe('waiting')
    // should it not be left after all
    expect(due()).toEqual({ retry: 1000 })
    expect(hint('resume')).toEqual(['connect best 0'])
    const idle = linkRig()
    expect(idle.hint('suspend')).toEqual([])
    expect(idle.hint('resume')).toEqual([])
  })
})

describe('signs of life', () => {
  test('[K3] T-B07 a ping after 30 s of silence; 5 s later the connection is dropped and the next one scheduled', () => {
    const { link, ready, frame, pass, due } = linkRig()
    ready()
    expect(pass(29_999)).toEqual([])
    expect(pass(1)).toEqual(['ping best'])
    pass(100)
    frame()
    expect(due()).toEqual({ ping: 30_000 })
    expect(pass(30_000)).toEqual(['ping best'])
    expect(pass(5000)).toEqual(['close best', 'lost'])
    expect(link).toMatchObject({ state: 'waiting', reason: 'no answer' })
    expect(due()).toEqual({ retry: 1000 })
  })

  test('[K3] any frame or comment moves the ping on', () => {
    const { ready, comment, pass } = linkRig()
    ready()
    pass(20_000)
    comment()
    expect(pass(29_999)).toEqual([])
    expect(pass(1)).toEqual(['ping best'])
  })

  test('[K3] K29 what is sent wants an answer within 5 s', () => {
    const { ready, step, pass, frame, due } = linkRig()
    ready()
    step({ type: 'sent' })
    pass(1000)
    step({ type: 'sent' })
    frame()
    expect(due()).toEqual({ ping: 30_000 })
    step({ type: 'sent' })
    expect(pass(4_999)).toEqual([])
    expect(pass(1)).toEqual(['ping best'])
    // a question is out already
    step({ type: 'sent' })
    expect(pass(5000)).toEqual(['close best', 'lost'])
  })

  test('[K3] X33 a clock that jumps by ten minutes is one probe, no verdict and no storm', () => {
    const { link, ready, setClock, tick, pass, due, frame } = linkRig()
    ready()
    setClock(600_000)
    expect(tick()).toEqual(['ping best'])
    setClock(600_000)
    expect(tick()).toEqual(['ping best'])
    expect(link.state).toBe('ready')
    frame()
    expect(due()).toEqual({ ping: 30_000 })
    pass(30_000)
    expect(pass(5000)).toContain('lost')
    const asleep = linkRig()
    asleep.start()
    asleep.setClock(600_000)
    expect(asleep.tick()).toEqual([])
    expect(asleep.due()).toEqual({ best: 10_000 })
  })

  test('[K3] while our own bytes are leaving, there is no verdict', () => {
    const { ready, pass } = linkRig()
    ready()
    pass(30_000)
    expect(pass(5000, 900)).toEqual([])
    expect(pass(5000, 500)).toEqual([])
    expect(pass(5000, 500)).toContain('lost')
  })

  test('X34 hints probe what is open and hurry what waits', () => {
    const { link, ready, frame, hint, closed } = linkRig()
    ready()
    for (const any of ['online', 'visible', 'resume', 'offline'] as const) {
      expect(hint(any)).toEqual(['ping best'])
      expect(hint(any)).toEqual([])
      frame()
    }
    closed()
    expect(hint('offline')).toEqual([])
    expect(hint('hide')).toEqual([])
    expect(hint('online')).toEqual(['connect best 0'])
    expect(link).toMatchObject({ state: 'connecting', attempt: 1 })
    expect(link.due.has('retry')).toBe(false)
  })
})

/** What an event does where it means nothing: nothing. */
describe('every state takes every event', () => {
  const ways: Record<string, (rig: ReturnType<typeof linkRig>) => void> = {
    idle: () => {},
    connecting: rig => void rig.start(),
    greeting: rig => void (rig.start(), rig.opened()),
    ready: rig => rig.ready(),
    waiting: rig => void (rig.start(), rig.closed('best', 1013, 50), rig.closed('spare')),
    stopped: rig => void (rig.start(), rig.closed('best', 4401)),
  }
  const events: LinkEvent[] = [
    { type: 'start' },
    { type: 'stop' },
    { type: 'sent' },
    { type: 'loaded', upkeep: null },
    { type: 'loaded', upkeep },
    { type: 'tick', asked: 0, buffered: 0 },
    ...(['online', 'offline', 'visible', 'resume', 'hide', 'suspend'] as const).map(hint => ({
      type: 'hint' as const,
      hint,
    })),
    ...(['best', 'spare'] as const).flatMap((lane): LinkEvent[] => [
      { type: 'opened', lane },
      { type: 'alive', lane, frame: null },
      { type: 'alive', lane, frame: 'frame' },
      { type: 'alive', lane, frame: 'welcome' },
      ...[0, 1000, 1006, 1013, 4401].map((code): LinkEvent => ({
        type: 'closed',
        lane,
        code,
        reason: '',
        retryAfterMs: code === 1013 ? 9 : null,
      })),
    ]),
  ]
  for (const [state, way] of Object.entries(ways)) {
    test(`[K1] ${state}`, () => {
      for (const transports of [1, 2, 3]) {
        for (const loaded of [true, false]) {
          for (const first of events) {
            for (const second of events) {
              const rig = linkRig(transports, 0.5, loaded)
              way(rig)
              if (state !== 'waiting' || loaded) expect(rig.link.state).toBe(state)
              expectSound(rig, rig.step(first))
              expectSound(rig, rig.step(second))
            }
          }
        }
      }
    })
  }
})
