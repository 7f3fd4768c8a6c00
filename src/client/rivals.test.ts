import { describe, expect, test } from 'vitest'
import { expectSound, linkRig } from './link-rig.test.ts'
import { upkeep } from './upkeep.ts'
import { seededRandom } from '../testing/random.ts'
import type { LinkEvent } from './link.ts'

describe('the first round', () => {
  test('[K6] the first transport that answers carries; a fast one is tried alone', () => {
    const { start, opened, welcome, pass } = linkRig(2)
    expect(start()).toEqual(['connect best 0'])
    pass(200)
    expect(opened()).toEqual(['opened'])
    expect(welcome()).toEqual([])
    expect(pass(1000)).toEqual([])
  })

  test('[K6] T-B02 where the best one is refused, the next one is tried at once, and its data does not wait', () => {
    const { link, start, opened, welcome, closed, due } = linkRig(3)
    start()
    expect(closed()).toEqual(['connect spare 1'])
    expect(link).toMatchObject({ state: 'connecting', attempt: 1, hope: true })
    expect(closed('spare')).toEqual(['connect spare 2'])
    expect(opened('spare')).toEqual(['opened'])
    welcome('spare')
    expect(link).toMatchObject({ state: 'ready', transport: 2, attempt: 1, proven: 2 })
    // the ladder goes on
    expect(due()).toEqual({ ping: 30_000, retry: 1000 })
  })

  test('[K6] where the best one does not answer, the next one is tried beside it, and the first to answer wins', () => {
    const { link, start, opened, welcome, pass } = linkRig(2)
    start()
    expect(pass(250)).toEqual(['connect spare 1'])
    expect(opened('spare')).toEqual(['opened'])
    expect(link).toMatchObject({ state: 'greeting', transport: 1 })
    // the better one opens before that one is welcomed
    expect(opened('best')).toEqual(['close spare', 'lost', 'opened'])
    expect(link).toMatchObject({ state: 'greeting', transport: 0, carrier: 'best' })
    expect(welcome('best')).toEqual([])
    expect(link).toMatchObject({ state: 'ready', attempt: 0 })
  })

  test('[K6] a welcome makes the race moot', () => {
    const { link, start, opened, welcome, pass } = linkRig(2)
    start()
    pass(250)
    opened()
    expect(welcome()).toEqual(['close spare'])
    expect(link.due.size).toBe(1)
  })

  test('[K6] a connection that opens and swallows what is said does not keep data waiting', () => {
    const { link, start, opened, pass, frame, welcome, due } = linkRig(2)
    start()
    opened()
    expect(pass(2_999)).toEqual([])
    expect(pass(1)).toEqual(['connect spare 1'])
    expect(opened('spare')).toEqual(['ping spare'])
    expect(frame('spare')).toEqual(['close best', 'lost', 'opened'])
    welcome('spare')
    expect(link).toMatchObject({ state: 'ready', transport: 1, attempt: 1 })
    expect(due()).toEqual({ ping: 30_000, retry: 1000 })
  })

  test('a round ends where every transport failed', () => {
    const { link, start, closed, pass } = linkRig(3)
    start()
    closed()
    closed('spare')
    expect(closed('spare')).toEqual([])
    expect(link).toMatchObject({ state: 'waiting', hope: false, attempt: 1 })
    expect(pass(1000)).toEqual(['connect best 0'])
    expect(closed()).toEqual(['connect spare 1'])
  })

  test('a transport that does not exist here gives its place and its ladder to the next', () => {
    const { link, start, closed, opened, welcome } = linkRig(2)
    start()
    expect(closed('best', 0)).toEqual(['connect best 1'])
    expect(link).toMatchObject({ state: 'connecting', attempt: 0 })
    opened()
    welcome()
    expect(link).toMatchObject({ state: 'ready', transport: 1, attempt: 0 })
    closed()
    expect(link).toMatchObject({ state: 'waiting', attempt: 1 })
    // where there is no other, it is tried again
    const alone = linkRig(1)
    alone.start()
    alone.closed('best', 0)
    expect(alone.link).toMatchObject({ state: 'waiting', attempt: 1 })
  })

  test('[K2] X40 retry-after of a refused connection ends the round', () => {
    const { link, start, closed, due, pass } = linkRig(2)
    start()
    expect(closed('best', 1013, 500)).toEqual([])
    expect(due()).toMatchObject({ retry: 1000 })
    pass(1000)
    closed()
    // said on the way back from the spare: also the ladder waits
    expect(closed('spare', 1013, 60_000)).toEqual([])
    expect(due()).toEqual({ retry: 60_000 })
    expect(link.state).toBe('waiting')
  })
})

describe('while another transport carries', () => {
  /** The best one was refused, the spare carries. */
  function fallen(transports = 2) {
    const rig = linkRig(transports)
    rig.start()
    rig.closed()
    rig.opened('spare')
    rig.welcome('spare')
    return rig
  }

  test('[K6] [K7] T-B06 the ladder goes on beside it: ten attempts as documented, then a probe a minute', () => {
    const { link, closed, due, pass, frame } = fallen()
    for (const ms of [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000, 30_000, 30_000]) {
      frame('spare')
      expect(due()['retry']).toBe(ms)
      expect(pass(ms)).toContain('connect best 0')
      expect(closed()).toEqual([])
      expect(link).toMatchObject({ state: 'ready', transport: 1 })
      frame('spare')
    }
    expect(link.attempt).toBe(11)
    for (let i = 0; i < 3; i++) {
      expect(due()['retry']).toBe(60_000)
      pass(25_000)
      frame('spare')
      pass(25_000)
      frame('spare')
      expect(pass(10_000)).toEqual(['connect best 0'])
      closed()
      frame('spare')
    }
  })

  test('[K6] [Q2] a better one has to answer first; then the old one is closed before hello is said again', () => {
    const { link, pass, opened, frame, comment, welcome } = fallen()
    expect(pass(1000)).toEqual(['connect best 0'])
    expect(opened()).toEqual(['ping best'])
    expect(comment()).toEqual([])
    expect(frame('spare')).toEqual([])
    expect(frame()).toEqual(['close spare', 'lost', 'opened'])
    // as far as anybody outside is concerned, there was no interruption
    expect(link).toMatchObject({ state: 'ready', transport: 1, hope: true })
    expect(welcome()).toEqual([])
    expect(link).toMatchObject({ state: 'ready', transport: 0, attempt: 0, proven: 0 })
    expect(pass(29_999)).toEqual([])
  })

  test('[K6] one that opens and does not answer is dropped, and data goes on', () => {
    const { link, pass, opened, due } = fallen()
    pass(1000)
    opened()
    expect(pass(5000)).toEqual(['close best'])
    expect(link).toMatchObject({ state: 'ready', transport: 1, attempt: 2 })
    expect(due()).toMatchObject({ retry: 2000 })
  })

  test('[K6] one that answers and is not welcomed: back to the one that carried, at once', () => {
    const { link, pass, opened, frame, closed, welcome } = fallen()
    pass(1000)
    opened()
    frame()
    expect(closed()).toEqual(['lost', 'connect spare 1'])
    expect(link).toMatchObject({ state: 'connecting', attempt: 2 })
    opened('spare')
    welcome('spare')
    expect(link).toMatchObject({ state: 'ready', transport: 1 })
  })

  test('[K7] a reason to look, and the best one is tried at once', () => {
    for (const hint of ['online', 'visible', 'resume'] as const) {
      const { hint: give } = fallen()
      expect(give(hint)).toEqual(['ping spare', 'connect best 0'])
    }
    const { hint, start } = fallen()
    expect(hint('offline')).toEqual(['ping spare'])
    expect(start()).toEqual(['connect best 0'])
  })

  test('when it is lost, the winner is remembered; one that was being tried takes over', () => {
    const { link, closed, due, pass } = fallen(3)
    expect(closed('spare', 1006)).toEqual(['lost'])
    expect(link).toMatchObject({ state: 'waiting', attempt: 1, hope: false })
    expect(due()).toEqual({ retry: 1000 })
    expect(pass(1000)).toEqual(['connect best 0', 'connect spare 1'])
    const tried = fallen()
    tried.pass(1000)
    tried.opened()
    expect(tried.closed('spare')).toEqual(['lost', 'opened'])
    expect(tried.link).toMatchObject({ carrier: 'best', state: 'greeting' })
  })

  test('a refusal of what is only tried stops nobody', () => {
    const { link, pass, closed } = fallen()
    pass(1000)
    closed('best', 4403)
    expect(link).toMatchObject({ state: 'ready', transport: 1, attempt: 2 })
  })
})

test('a spare that hangs is not tried again and again while the ladder goes on: the next one gets its turn', () => {
  const { start, closed, pass } = linkRig(3)
  start()
  expect(closed()).toEqual(['connect spare 1'])
  for (const ms of [1000, 2000]) {
    expect(pass(ms)).toEqual(['connect best 0'])
    closed()
  }
  expect(pass(2000)).toEqual(['close spare', 'connect spare 2'])
})

test('what worked before is tried alone for a while, then whole rounds again', () => {
  const { link, ready, closed, pass } = linkRig(2)
  ready()
  expect(closed()).toEqual(['lost'])
  for (const ms of [1000, 2000]) {
    expect(pass(ms)).toEqual(['connect best 0'])
    expect(closed()).toEqual([])
  }
  expect(pass(4000)).toEqual(['connect best 0'])
  expect(closed()).toEqual(['connect spare 1'])
  expect(link.attempt).toBe(4)
})

describe('K26 the breaker', () => {
  test('[K8] five connections in a row that die as soon as they are welcomed open it, 30 s, doubling to 5 min', () => {
    const { link, start, opened, welcome, closed, due, pass } = linkRig(2)
    start()
    const flap = (): void => {
      opened()
      welcome()
      pass(999)
      closed()
    }
    for (let i = 0; i < 4; i++) {
      flap()
      expect(due()).toEqual({ retry: 1000 })
      pass(1000)
    }
    for (const ms of [30_000, 60_000, 120_000, 240_000, 300_000, 300_000]) {
      flap()
      expect(link).toMatchObject({ state: 'waiting', delay: ms })
      expect(due()).toEqual({ retry: ms })
      expect(pass(ms)).toContain('connect best 0')
    }
    // half-open: one that lives closes it
    opened()
    welcome()
    pass(1000)
    closed()
    expect(due()).toEqual({ retry: 1000 })
  })

  test('[K8] it ends what is tried beside the connection that dies', () => {
    const { link, start, opened, welcome, closed, pass } = linkRig(2)
    start()
    let effects: string[] = []
    for (let i = 0; i < 5; i++) {
      for (let s = 0; s < 60 && link.lane.spare === 'off'; s++) pass(1000)
      opened('spare')
      welcome('spare')
      for (let s = 0; s < 60 && link.lane.best === 'off'; s++) pass(1000)
      link.welcomedAt = link.now
      effects = closed('spare')
    }
    expect(effects).toContain('close best')
    expect(link).toMatchObject({ state: 'waiting', delay: 30_000, lane: { best: 'off', spare: 'off' } })
  })

  test('[K8] wake-ups and whoever asks for a connection close it', () => {
    for (const how of ['online', 'visible', 'start'] as const) {
      const { start, hint, opened, welcome, closed, pass, due } = linkRig()
      start()
      for (let i = 0; i < 5; i++) {
        opened()
        welcome()
        closed()
        if (i < 4) pass(1000)
      }
      expect(due()).toEqual({ retry: 30_000 })
      expect(how === 'start' ? start() : hint(how)).toEqual(['connect best 0'])
      opened()
      welcome()
      closed()
      expect(due()).toEqual({ retry: 1000 })
    }
  })
})

describe('where the rivals have to be loaded', () => {
  test('[K6] only when they are needed, once; the first round is not over meanwhile', () => {
    const { link, start, closed, step, pass } = linkRig(2, 0, false)
    start()
    expect(closed()).toEqual(['load'])
    expect(link).toMatchObject({ state: 'connecting', attempt: 1, hope: true })
    expect(pass(1000)).toEqual(['connect best 0'])
    expect(closed()).toEqual([])
    expect(step({ type: 'loaded', upkeep })).toEqual(['connect spare 1'])
  })

  test('the best one does not answer for a while', () => {
    const { start, pass, step, opened } = linkRig(2, 0, false)
    start()
    expect(pass(999)).toEqual([])
    expect(pass(1)).toEqual(['load'])
    opened()
    expect(step({ type: 'loaded', upkeep: null })).toEqual([])
    expect(pass(3000)).toEqual([])
  })

  test('they cannot be loaded: the ladder alone, and another try with each attempt', () => {
    const { link, start, closed, step, pass } = linkRig(2, 0, false)
    start()
    expect(closed()).toEqual(['load'])
    expect(step({ type: 'loaded', upkeep: null })).toEqual([])
    expect(link).toMatchObject({ state: 'waiting', hope: false })
    expect(pass(1000)).toEqual(['connect best 0'])
    expect(closed()).toEqual(['load'])
    const none = linkRig(2, 0, false)
    none.start()
    none.closed('best', 0)
    none.step({ type: 'loaded', upkeep: null })
    expect(none.link).toMatchObject({ state: 'waiting', attempt: 1 })
  })
})

test('[K6] whatever happens, in whatever order: one carrier at most, and nobody is stuck', () => {
  for (let seed = 1; seed <= 300; seed++) {
    const random = seededRandom(seed)
    const rig = linkRig(random.between(1, 3), random.next(), random.chance(0.7))
    const lane = (): 'best' | 'spare' => random.pick(['best', 'spare'])
    const events: (() => LinkEvent)[] = [
      () => ({ type: 'start' }),
      () => ({ type: 'opened', lane: lane() }),
      () => ({ type: 'alive', lane: lane(), frame: random.pick(['welcome', 'frame', null]) }),
      () => ({ type: 'alive', lane: lane(), frame: 'welcome' }),
      () => ({
        type: 'closed',
        lane: lane(),
        code: random.pick([0, 1006, 1012, 4409]),
        reason: '',
        retryAfterMs: random.pick([null, 3000]),
      }),
      () => ({ type: 'sent' }),
      () => ({ type: 'hint', hint: random.pick(['online', 'offline', 'visible', 'suspend', 'resume']) }),
      () => ({ type: 'loaded', upkeep: random.pick([null, upkeep]) }),
    ]
    for (let i = 0; i < 60; i++) {
      if (random.chance(0.3)) rig.pass(random.int(20_000))
      else expectSound(rig, rig.step(random.pick(events)()))
    }
  }
})
