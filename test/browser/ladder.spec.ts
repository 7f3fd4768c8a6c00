// The documented times of the connection, in a page whose clock the test turns.
import { expect, test } from '@playwright/test'
import type { Page } from '@playwright/test'
import { home } from './support/home.ts'
import { Proxy } from './support/http-proxy.ts'
import { sql } from './support/processes.ts'
import { told } from './support/recorder.ts'
import { freshSite } from './support/site.ts'

const on = freshSite("INSERT INTO users (id, name) VALUES (1, 'Grace')")

declare global {
  interface Window {
    /** When each WebSocket was made, and how many of them have failed or closed. */
    attempts: { at: number[]; over: number }
  }
}

/** Before the page is opened: its clock stands still, chance is 0, and its sockets are counted. */
async function prepare(page: Page): Promise<void> {
  await page.clock.install({ time: 0 })
  await page.addInitScript(() => {
    Math.random = () => 0
    const attempts = (window.attempts = { at: [] as number[], over: 0 })
    const Plain = WebSocket
    window.WebSocket = class extends Plain {
      constructor(url: string | URL, protocols?: string | string[]) {
        super(url, protocols)
        attempts.at.push(Date.now())
        this.addEventListener('close', () => (attempts.over += 1))
      }
    }
  })
}

/** The clock goes on only with the test from here on; what it shows. */
async function stop(page: Page): Promise<number> {
  const now = (await page.evaluate(() => Date.now())) + 1000
  await page.clock.pauseAt(now)
  return now
}

const attempts = (page: Page) => page.evaluate(() => window.attempts)
const words = async (page: Page) => (await told(page, 'rhtmx:connection:state')).map(({ state }) => state)

/** Lets `count` more sockets fail; between the end of one and the next the clock goes on in steps of `stepMs`. */
async function fail(page: Page, count: number): Promise<number[]> {
  const made = (await attempts(page)).at.length
  while ((await attempts(page)).at.length < made + count) {
    const { at } = await attempts(page)
    await expect.poll(async () => (await attempts(page)).over).toBe(at.length)
    await page.clock.runFor(stepMs)
  }
  return (await attempts(page)).at.slice(made)
}
const stepMs = 500

// Firefox makes attempts at one host wait for each other by itself.
test(
  'T-B05 T-B06 [K2] [K7] the server is down: attempts after 1, 2, 4, 8, 16, 30 seconds, and the other word after ten',
  { tag: '@chromium' },
  async ({ page }) => {
    await prepare(page)
    await page.goto(on.wire.url)
    await page.evaluate(() => window.rhtmxSync.ready)
    const start = await stop(page)
    on.wire.cut()
    await expect.poll(() => words(page)).toContain('reconnecting')
    const at = await fail(page, 9)
    expect(await words(page)).not.toContain('fallback_sse')
    at.push(...(await fail(page, 1)))
    const waits = at.map((time, i) => time - (at[i - 1] ?? start))
    const documented = [1, 2, 4, 8, 16, 30, 30, 30, 30, 30].map(seconds => seconds * 1000)
    for (const [i, wait] of waits.entries()) expect(Math.abs(wait - (documented[i] ?? 0))).toBeLessThan(1000)
    await expect.poll(() => words(page)).toContain('fallback_sse')
    on.wire.mend()
    await page.evaluate(() => window.dispatchEvent(new Event('online')))
    await expect.poll(async () => (await words(page)).at(-1)).toBe('connected')
  },
)

test('T-B07 [K3] idle: a ping after 30 seconds; without an answer the socket is dropped 5 seconds later, and the next attempt made', async ({
  page,
}) => {
  const sent: string[] = []
  let isHeld = false
  let answered = 0
  let sockets = 0
  await page.routeWebSocket('**/api/sync/ws', socket => {
    const far = socket.connectToServer()
    const isFirst = (sockets += 1) === 1
    socket.onMessage(message => {
      sent.push(String(message))
      far.send(message)
    })
    far.onMessage(message => {
      if (isHeld && isFirst) return
      socket.send(message)
      if (String(message).includes('"pong"')) answered += 1
    })
  })
  await page.clock.install({ time: 0 })
  await page.goto(on.wire.url)
  await page.evaluate(() => window.rhtmxSync.ready)
  await stop(page)
  const pings = () => sent.filter(text => text.includes('"ping"')).length
  // answered: nothing happens
  await page.clock.runFor(31_000)
  await expect.poll(pings).toBeGreaterThan(0)
  await expect.poll(() => answered).toBe(pings())
  await expect.poll(() => page.evaluate(() => window.rhtmxSync.status().state)).toBe('connected')
  isHeld = true
  const before = pings()
  await page.clock.runFor(31_000)
  await expect.poll(pings).toBeGreaterThan(before)
  expect((await words(page)).at(-1)).toBe('connected')
  await page.clock.runFor(5_000)
  await expect.poll(() => words(page)).toContain('reconnecting')
  await page.clock.resume()
  await expect.poll(async () => (await words(page)).at(-1)).toBe('connected')
})

test('[K3] X33 the machine slept for ten minutes: one ping, no verdict, and no second connection', async ({
  page,
}) => {
  let pings = 0
  let sockets = 0
  await page.routeWebSocket('**/api/sync/ws', socket => {
    sockets += 1
    const far = socket.connectToServer()
    socket.onMessage(message => {
      if (String(message).includes('"ping"')) pings += 1
      far.send(message)
    })
  })
  await page.clock.install({ time: 0 })
  await page.goto(on.wire.url)
  await page.evaluate(() => window.rhtmxSync.ready)
  await home(page)
  await stop(page)
  for (const n of [1, 2, 3]) {
    // every timer is late, and fires once
    await page.clock.fastForward(600_000)
    await expect.poll(() => pings).toBe(n)
    await sql(on.file, `UPDATE users SET name = 'Ada ${n}'`)
    await expect.poll(() => page.evaluate(() => window.rhtmxSync.get('users', 1)?.['name'])).toBe(`Ada ${n}`)
    await page.clock.runFor(6_000)
  }
  expect([pings, sockets]).toEqual([3, 1])
  expect(await words(page)).toEqual(['connecting', 'connected'])
})

test(
  'T-B02 [K7] upgrades refused: data flows all the while, and the word is fallback_sse after the tenth attempt, not earlier',
  { tag: '@chromium' },
  async ({ page }) => {
    await prepare(page)
    const proxy = await Proxy.to(on.server.port)
    proxy.upgrades = 'refuse'
    await page.goto(proxy.url)
    await page.evaluate(() => window.rhtmxSync.ready)
    await stop(page)
    expect(await page.evaluate(() => window.rhtmxSync.status().transport)).toBe('sse')
    while ((await attempts(page)).at.length < 10) await fail(page, 1)
    expect(await words(page)).toEqual(['connecting', 'disconnected', 'reconnecting'])
    await sql(on.file, "UPDATE users SET name = 'Ada'")
    await expect.poll(() => page.evaluate(() => window.rhtmxSync.get('users', 1)?.['name'])).toBe('Ada')
    // the first one, and ten more
    await fail(page, 1)
    await expect.poll(() => words(page)).toContain('fallback_sse')
    expect(await words(page)).toEqual(['connecting', 'disconnected', 'reconnecting', 'fallback_sse'])
    expect((await attempts(page)).at.length).toBe(11)
    await proxy.close()
  },
)
