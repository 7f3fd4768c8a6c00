// Readings over a store that answers when it is told to: what is read of a scope that is asked for otherwise by now, whose
// place it takes meanwhile, and what becomes of a scope that cannot be read.
import { isDeepStrictEqual } from 'node:util'
import { expect, test } from 'vitest'
import type { Cursor } from '../core/index.ts'
import type { EngineParts } from './engine-parts.ts'
import { nodeEnv } from './env.ts'
import { Gate } from './gate.ts'
import { defaultServerLimits } from './limits.ts'
import { Readings } from './readings.ts'
import { openSession } from './session.ts'
import type { SnapshotPage } from './store.ts'
import type { ReadStore } from './viewed.ts'

const silent = (): void => {}
const quiet = { debug: silent, info: silent, warn: silent, error: silent }
const head = { epoch: 'e', seq: 7, check: 1, horizon: 0 }
const page = (next: string | null): SnapshotPage => ({
  rows: [{ id: 'r', idJson: '"r"', json: '"r"', seq: 3, reading: 1, temporary: null }],
  next,
  head,
})

/** No clock: as many turns of the event loop as it takes. */
async function settles(what: () => unknown, expected: unknown): Promise<void> {
  for (let i = 0; i < 1_000 && !isDeepStrictEqual(what(), expected); i++)
    await new Promise(resolve => setImmediate(resolve))
  expect(what()).toEqual(expected)
}

/** A connection beside others at one gate. `pages`: readings of its store that are not answered. */
function connection(gate: Gate) {
  const pages: { resolve: (page: SnapshotPage) => void; reject: (error: Error) => void }[] = []
  const store: Partial<ReadStore> = {
    gather: () => Promise.resolve(null),
    snapshot: () => new Promise((resolve, reject) => pages.push({ resolve, reject })),
    changes: () => Promise.resolve({ rows: [], moves: [], to: head, horizon: 0, more: false }),
  }
  const session = openSession('u')
  session.dialect = 'canonical'
  const state = { open: true, ready: true, written: 0, closed: [] as number[], reached: [] as Cursor[] } // reason: an empty literal has no element type
  // reason: nothing else of it is used here
  const parts = { env: nodeEnv(), log: quiet, gate, store } as unknown as EngineParts
  const readings = new Readings(parts, store as ReadStore, {
    session,
    open: () => state.open,
    ready: () => state.ready,
    shapeOf: () => undefined,
    write: frames => void (state.written += frames.length),
    apply: async event => void (event.type === 'read' && state.reached.push(event.at)),
    rejoin: silent,
    failed: silent,
    close: code => void state.closed.push(code),
  })
  let turn = 0
  return {
    state,
    pages,
    readings,
    session,
    /** As the session does when a scope is asked for. */
    ask(): void {
      session.scopes.set('t', { phase: 'reading', turn: (turn += 1) })
      readings.perform({ type: 'snapshot', entity: 't', turn })
    },
    async answer(next: string | null = null): Promise<void> {
      await settles(() => pages.length > 0, true)
      pages.shift()?.resolve(page(next))
    },
  }
}

function open(places: number): Gate {
  const limits = { ...defaultServerLimits, maxCatchUps: places, maxWaitingCatchUps: 9 }
  return new Gate(limits, nodeEnv())
}

test('[V9] [V11] what was read of a scope that is asked for otherwise by now is sent to nobody', async () => {
  const line = connection(open(1))
  line.ask()
  await settles(() => line.pages.length, 1)
  line.ask()
  await line.answer('more')
  // the second reading begins where the first has ended
  await settles(() => line.pages.length, 1)
  expect(line.state.written).toBe(0)
  await line.answer()
  await settles(() => line.state.reached, [head])
  expect(line.state.written).toBeGreaterThan(0)
})

test('[S3] a scope that cannot be read is not left silent: its client has to come back', async () => {
  const gate = open(1)
  const line = connection(gate)
  line.ask()
  await settles(() => line.pages.length, 1)
  line.pages.shift()?.reject(new Error('broken'))
  await settles(() => line.state.closed, [1013])
  expect(gate.stats).toMatchObject({ now: 0, waiting: 0 })
})

test('[G2] who does not read holds no place meanwhile, and comes back to it', async () => {
  const gate = open(1)
  const [slow, next] = [connection(gate), connection(gate)]
  slow.ask()
  await settles(() => slow.pages.length, 1)
  slow.state.ready = false
  next.ask()
  await slow.answer('more')
  await next.answer()
  await settles(() => next.state.reached.length, 1)
  slow.state.ready = true
  slow.readings.release(true)
  await slow.answer()
  await settles(() => slow.state.reached.length, 1)
  expect(gate.stats).toEqual({ now: 0, waiting: 0, most: 1 })
})

test('[G2] who is gone holds no place, neither while it reads nothing nor while it waits for one', async () => {
  const gate = open(1)
  const [slow, late, next] = [connection(gate), connection(gate), connection(gate)]
  slow.ask()
  late.ask()
  await slow.answer('more')
  await settles(() => slow.pages.length, 1)
  expect(gate.stats).toMatchObject({ now: 1, waiting: 1 })
  late.state.open = false
  late.readings.release(false)
  expect(gate.stats).toMatchObject({ now: 1, waiting: 0 })
  slow.state.ready = false
  await slow.answer('more')
  await settles(() => gate.stats.now, 0)
  slow.state.open = false
  slow.readings.release(false)
  // its queue has come to an end: what is asked of it finds nobody and is over at once
  slow.state.open = slow.state.ready = true
  slow.ask()
  await settles(() => slow.pages.length, 1)
  await slow.answer()
  next.ask()
  await next.answer()
  await settles(() => gate.stats, { now: 0, waiting: 0, most: 1 })
})
