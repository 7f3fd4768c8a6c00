import { expect, test } from 'vitest'
import { Summary } from '../core/index.ts'
import { nodeEnv } from './env.ts'
import { Maintenance } from './maintenance.ts'
import { compareSummaries, findRepairs } from './reconcile.ts'
import type { ServerStore } from './store.ts'

const silent = { debug() {}, info() {}, warn() {}, error() {} }

test('[L5] others get their turn between the rounds of a cleanup', async () => {
  const order: string[] = []
  let rounds = 3
  const store: Partial<ServerStore> = {
    fold() {
      order.push('fold')
      return Promise.resolve(--rounds > 0)
    },
    cleanup() {
      order.push('cleanup')
      return Promise.resolve(7)
    },
  }
  const env = {
    ...nodeEnv(),
    soon(run: () => void) {
      order.push('turn')
      queueMicrotask(run)
      return () => {}
    },
  }
  const maintenance = new Maintenance(store as ServerStore, env, silent, 0)
  expect(await maintenance.cleanup(0)).toBe(7)
  expect(order).toEqual(['fold', 'turn', 'fold', 'turn', 'fold', 'cleanup'])
})

test('[S7] summing a table gives others their turn before each page, and ends unanswered when given up', async () => {
  let turns = 0
  let left = 2
  const pages: ServerStore['places'] = ({ after }) => {
    const page = after === null ? 0 : Number(after)
    return Promise.resolve({ rows: [[`row${page}`, page + 1]], next: page < 2 ? `${page + 1}` : null })
  }
  const store = { places: pages } as unknown as ServerStore
  const turn = (): Promise<boolean> => Promise.resolve(++turns > 0)
  const whole = new Summary()
  for (let i = 0; i < 3; i++) whole.toggle(`row${i}`, i + 1)
  expect(await compareSummaries(store, 'notes', whole.values(), turn)).toEqual([])
  expect(turns).toBe(3)
  const twice = (): Promise<boolean> => Promise.resolve(left-- > 0)
  expect(await compareSummaries(store, 'notes', whole.values(), twice)).toBe(null)
  left = 2
  expect(await findRepairs(store, 'notes', [], [], twice)).toBe(null)
})
