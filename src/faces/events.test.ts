import { expect, test } from 'vitest'
import type { Change } from '../client/index.ts'
import { changeEvents } from './changes.ts'
import { pageEvents } from './events.ts'
import type { ChangedDetail } from './events.ts'

/** A page whose body comes when `parsed` is called. */
function fakePage(withBody = true) {
  const page = Object.assign(new EventTarget(), { body: withBody ? new EventTarget() : null })
  const seen: { type: string; detail: unknown; bubbles: boolean; composed: boolean }[] = []
  const listen = (): void => {
    for (const type of ['rhtmx:users:changed', 'rhtmx:connection:state', 'rhtmx:sync:ready']) {
      page.body?.addEventListener(type, event => {
        const { detail, bubbles, composed } = event as CustomEvent
        seen.push({ type, detail, bubbles, composed })
      })
    }
  }
  listen()
  const parsed = (): void => {
    page.body = new EventTarget()
    listen()
    page.dispatchEvent(new Event('DOMContentLoaded'))
  }
  return { page: page as unknown as Document, seen, parsed }
}

const change = (ids: string[], more: Partial<Change> = {}): Change => ({
  entity: 'users',
  ids,
  action: 'update',
  source: 'server',
  version: 1,
  ...more,
})

/** Timers that fire when `pass` says so. */
function fakeTimers() {
  let now = 0
  let timers: { at: number; run: () => void }[] = []
  return {
    after: (ms: number, run: () => void): void => void timers.push({ at: now + ms, run }),
    async pass(ms: number) {
      await Promise.resolve()
      now += ms
      const due = timers.filter(({ at }) => at <= now)
      timers = timers.filter(({ at }) => at > now)
      for (const { run } of due) run()
    },
  }
}

const never = (): void => {}

type Rest = Parameters<typeof changeEvents> extends [unknown, ...infer R] ? R : never

const eventsOf = (page: Document, ...rest: Rest): ((change: Change) => void) =>
  changeEvents(pageEvents(page).tell, ...rest)

test('[F1] K01 one event, on the body, bubbling and composed; held while there is no body', async () => {
  const { page, seen, parsed } = fakePage(false)
  const events = pageEvents(page)
  events.tell('connection:state', { state: 'connecting', oldState: 'disconnected' })
  events.tell('sync:ready', { client: 'entity', online: true, storage: 'memory' })
  expect(seen).toEqual([])
  parsed()
  expect(seen.map(({ type }) => type)).toEqual(['rhtmx:connection:state', 'rhtmx:sync:ready'])
  expect(seen[0]).toMatchObject({ bubbles: true, composed: true, detail: { state: 'connecting' } })
})

test('[K13] X75 where data is to be saved, events are a second apart: each may make the page fetch', async () => {
  const { page, seen } = fakePage()
  const timers = fakeTimers()
  const changed = eventsOf(page, () => null, timers.after, true)
  for (const ids of [['1'], ['2']]) changed(change(ids))
  await timers.pass(0)
  expect(seen).toHaveLength(1)
  changed(change(['3']))
  await timers.pass(999)
  expect(seen).toHaveLength(1)
  await timers.pass(1)
  expect(seen).toMatchObject([{ detail: { ids: ['1', '2'] } }, { detail: { ids: ['3'] } }])
})

test('[F2] K02 what one batch brings is one event, at once', async () => {
  const { page, seen } = fakePage()
  const changed = eventsOf(page, (_entity, id) => ({ id, name: 'Ada' }), never)
  changed(change(['1', '2'], { action: 'create', version: 7 }))
  changed(change(['3'], { version: 7 }))
  await Promise.resolve()
  expect(seen).toHaveLength(1)
  const detail = seen[0]?.detail as ChangedDetail
  expect(detail).toMatchObject({
    entity: 'users',
    id: '3',
    ids: ['1', '2', '3'],
    action: 'update',
    version: 7,
  })
  expect(detail.changes[0]).toEqual({
    entity: 'users',
    id: '1',
    entity_id: '1',
    action: 'create',
    source: 'server',
    version: 7,
    data: { id: '1', name: 'Ada' },
  })
})

test('[F3] a burst: at most one event in 50 ms, the last change included, a rollback not hidden', async () => {
  const { page, seen } = fakePage()
  const timers = fakeTimers()
  const changed = eventsOf(
    page,
    () => null,
    (ms, run) => timers.after(ms, run),
  )
  changed(change(['1'], { source: 'local' }))
  await timers.pass(0)
  changed(change(['1'], { source: 'rollback' }))
  changed(change(['2']))
  await timers.pass(49)
  expect(seen).toHaveLength(1)
  await timers.pass(1)
  expect(seen).toHaveLength(2)
  expect(seen[1]?.detail).toMatchObject({ id: '2', ids: ['1', '2'], source: 'rollback' })
  await timers.pass(200)
  expect(seen).toHaveLength(2)
  changed(change(['3']))
  await timers.pass(0)
  expect(seen).toHaveLength(3)
})

test('entities do not wait for each other', async () => {
  const { page, seen } = fakePage()
  const timers = fakeTimers()
  const changed = eventsOf(
    page,
    () => null,
    (ms, run) => timers.after(ms, run),
  )
  changed(change(['1'], { entity: 'posts' }))
  await timers.pass(0)
  changed(change(['1']))
  await timers.pass(0)
  expect(seen.map(({ type }) => type)).toEqual(['rhtmx:users:changed'])
})

/** `perTick` rows every 5 ms for `ms`: the events. */
async function flood(ms: number, perTick: () => string[]) {
  const { page, seen } = fakePage()
  const timers = fakeTimers()
  const changed = eventsOf(
    page,
    () => null,
    (wait, run) => timers.after(wait, run),
  )
  for (let at = 0; at < ms; at += 5) {
    const ids = perTick()
    if (ids.length > 0) changed(change(ids))
    await timers.pass(5)
  }
  for (let i = 0; i < 3; i += 1) await timers.pass(1000)
  return seen
}

test('[F3] X37 a thousand rows one by one are at most twenty events, and the last is told', async () => {
  for (const ms of [500, 1000, 5000, 8000]) {
    let sent = 0
    const seen = await flood(ms, () => {
      const ids = Array.from({ length: 5000 / ms }, () => String((sent += 1)))
      return ids.length > 0 ? ids : [String((sent += 1))]
    })
    expect(seen.length).toBeLessThanOrEqual(20)
    expect(seen.at(-1)?.detail).toMatchObject({ id: String(sent) })
  }
})
