// Servers that die and come back, wires that are cut and frozen, and what the page says meanwhile.
import { expect, test } from '@playwright/test'
import type { Page } from '@playwright/test'
import { home } from './support/home.ts'
import { columnIn, sql } from './support/processes.ts'
import { told } from './support/recorder.ts'
import { freshSite } from './support/site.ts'

const on = freshSite("INSERT INTO users (id, name) VALUES (1, 'Grace')")
test.beforeEach(async ({ page }) => {
  await page.goto(on.wire.url)
  await page.evaluate(() => window.rhtmxSync.ready)
})

const states = async (page: Page): Promise<unknown[]> =>
  (await told(page, 'rhtmx:connection:state')).map(({ state }) => state)
const online = (page: Page): Promise<boolean> => page.evaluate(() => window.rhtmxSync.isOnline)

async function expectChain(page: Page): Promise<void> {
  let last: unknown = 'disconnected'
  for (const { state, oldState } of await told(page, 'rhtmx:connection:state')) {
    expect(oldState).toBe(last)
    expect(state).not.toBe(oldState)
    expect(['disconnected', 'connecting', 'connected', 'reconnecting', 'fallback_sse']).toContain(state)
    last = state
  }
}

test('[K1] T-B03 T-B20 the state events chain through a killed server and its return', async ({ page }) => {
  expect(await states(page)).toEqual(['connecting', 'connected'])
  expect(await online(page)).toBe(true)
  await on.server.stop('SIGKILL')
  await expect.poll(() => states(page)).toEqual(['connecting', 'connected', 'disconnected', 'reconnecting'])
  expect(await online(page)).toBe(false)
  const queued = await page.evaluate(() => window.rhtmxSync.pushChange('users', 1, 'update', { name: 'Ada' }))
  expect(queued).toEqual({ status: 'queued', entity: 'users', id: '1', version: null })

  await on.server.start()
  await expect
    .poll(() => states(page))
    .toEqual(['connecting', 'connected', 'disconnected', 'reconnecting', 'connected'])
  await expectChain(page)
  expect(await online(page)).toBe(true)
  await expect(page.locator('#users p')).toHaveText(['Ada'])
  await expect.poll(() => page.evaluate(() => window.rhtmxSync.pending().length)).toBe(0)
})

test('a server that says goodbye, too', async ({ page }) => {
  await on.server.stop('SIGTERM')
  await expect.poll(() => states(page)).toEqual(['connecting', 'connected', 'disconnected', 'reconnecting'])
  await on.server.start()
  await expect.poll(async () => (await states(page)).at(-1)).toBe('connected')
  await expectChain(page)
})

test('[K3] a frozen wire is noticed when the page has a reason to doubt it, and edits made meanwhile arrive', async ({
  page,
}) => {
  on.wire.freeze()
  const push = page.evaluate(() => window.rhtmxSync.pushChange('users', 1, 'update', { name: 'Ada' }))
  await page.evaluate(() => window.dispatchEvent(new Event('online')))
  expect(await push).toMatchObject({ status: 'queued' })
  expect((await states(page)).slice(0, 4)).toEqual([
    'connecting',
    'connected',
    'disconnected',
    'reconnecting',
  ])
  on.wire.cut()
  on.wire.mend()
  await expect.poll(async () => (await states(page)).at(-1)).toBe('connected')
  await expectChain(page)
  await expect(page.locator('#users p')).toHaveText(['Ada'])
})

test('T-B28 what happened while the wire was cut is there after it, in one event', async ({ page }) => {
  on.wire.cut()
  await expect.poll(() => online(page)).toBe(false)
  await sql(
    on.file,
    "INSERT INTO users (name) VALUES ('Alan'), ('Ada'); UPDATE users SET name = 'Grace H.' WHERE id = 1",
  )
  on.wire.mend()
  await expect.poll(() => online(page)).toBe(true)
  await expect(page.locator('#users p')).toHaveText(['Grace H.', 'Alan', 'Ada'])
  const changes = await told(page, 'rhtmx:users:changed')
  expect(new Set(changes.flatMap(({ ids }) => ids))).toEqual(new Set(['1', '2', '3']))
  expect(changes.length).toBe(1)
  await page.evaluate(() => window.rhtmxSync.syncEntity('users'))
  const rejected = page.evaluate(() =>
    window.rhtmxSync.syncEntity('planets').catch((error: { code: string }) => error.code),
  )
  expect(await rejected).toBe('UNKNOWN_ENTITY')
})

test('T-B28 while the live stream says nothing, syncEntity asks, and its promise is kept when the row is there', async ({
  page,
}) => {
  let isPaused = false
  await page.routeWebSocket('**/api/sync/ws', socket => {
    const far = socket.connectToServer()
    // what was said before it was asked is lost, the answer is not
    socket.onMessage(frame => {
      if (String(frame).includes('"subscribe"')) isPaused = false
      far.send(frame)
    })
    far.onMessage(frame => {
      if (String(frame).includes('"batch"')) answers += 1
      if (!isPaused || String(frame).includes('"pong"')) socket.send(frame)
      else if (String(frame).includes('Edsger')) held += 1
    })
  })
  let held = 0
  let answers = 0
  await page.reload()
  await page.evaluate(() => window.rhtmxSync.ready)
  await home(page)
  await expect.poll(() => answers).toBe(1)
  isPaused = true
  await sql(on.file, "INSERT INTO users (name) VALUES ('Edsger')")
  await expect.poll(() => held).toBe(1)
  const names = () => page.evaluate(() => window.rhtmxSync.getAll('users').map(({ name }) => name))
  expect(await names()).toEqual(['Grace'])
  const after = await page.evaluate(async () => {
    const asked = window.rhtmxSync.syncEntity('users')
    if (!(asked instanceof Promise)) throw new Error('no promise')
    await asked
    return window.rhtmxSync.getAll('users').map(({ name }) => name)
  })
  expect(after).toEqual(['Grace', 'Edsger'])
  await expect(page.locator('#users p')).toHaveText(['Grace', 'Edsger'])
})

test('T-B10 [Q2] back on the network, untouched: what waits is sent at once, before anything that was missed has come', async ({
  page,
}) => {
  let sockets = 0
  await page.routeWebSocket('**/api/sync/ws', socket => {
    sockets += 1
    const isFirst = sockets === 1
    const far = socket.connectToServer()
    socket.onMessage(frame => far.send(frame))
    // of the next ones nothing but their beginning
    far.onMessage(frame => {
      if (isFirst || String(frame).includes('"welcome"')) socket.send(frame)
    })
  })
  await page.reload()
  await page.evaluate(() => window.rhtmxSync.ready)
  await home(page)
  on.wire.cut()
  await expect.poll(() => online(page)).toBe(false)
  const many = Array.from({ length: 500 }, (_, i) => `INSERT INTO users (name) VALUES ('missed ${i}');`)
  await sql(on.file, many.join(''))
  await page.evaluate(async () => {
    for (const name of ['A', 'B', 'C']) await window.rhtmxSync.pushChange('users', null, 'create', { name })
  })
  on.wire.mend()
  const stored = (): unknown[] =>
    columnIn(on.file, "SELECT name FROM users WHERE name IN ('A', 'B', 'C') ORDER BY id")
  await expect.poll(stored).toEqual(['A', 'B', 'C'])
  // nothing of what was missed is here
  expect(await page.evaluate(() => window.rhtmxSync.getAll('users').length)).toBe(4)
})

test('a reload when nothing happened meanwhile: ready again, no second fetch, and edits are sent', async ({
  page,
}) => {
  await page.reload()
  await page.evaluate(() => window.rhtmxSync.ready)
  expect(await told(page, 'rhtmx:sync:ready')).toEqual([
    { client: 'entity', online: true, storage: 'indexeddb' },
  ])
  expect(await told(page, 'rhtmx:users:changed')).toEqual([])
  expect(await page.evaluate(() => window.rhtmxSync.get('users', 1))).toEqual({
    id: 1,
    name: 'Grace',
    email: null,
  })
  const pushed = await page.evaluate(() => window.rhtmxSync.pushChange('users', 1, 'update', { name: 'Ada' }))
  expect(pushed.status).toBe('applied')
  await expect(page.locator('#users p')).toHaveText(['Ada'])
})
