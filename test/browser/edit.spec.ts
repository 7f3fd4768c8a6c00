// One edit of a page that is online, and everything that becomes of it, in its order.
import { expect, test } from '@playwright/test'
import type { Page } from '@playwright/test'
import { disk } from './support/disk.ts'
import { home } from './support/home.ts'
import { columnIn } from './support/processes.ts'
import { told } from './support/recorder.ts'
import { freshSite } from './support/site.ts'

const on = freshSite("INSERT INTO users (id, name) VALUES (1, 'Grace')")

const stored = async (page: Page, store: string) => (await disk(page, store)).keys

test('T-B11 [Q1] online: the event and the disk are there before the frame leaves, and the overlay stays until the late answer', async ({
  page,
}) => {
  let release = (): void => {}
  await page.routeWebSocket('**/api/sync/ws', socket => {
    const far = socket.connectToServer()
    const held: (string | Buffer)[] = []
    let isHeld = false
    release = () => {
      isHeld = false
      for (const frame of held.splice(0)) socket.send(frame)
    }
    socket.onMessage(frame => {
      isHeld ||= String(frame).includes('"mutate"')
      far.send(frame)
    })
    far.onMessage(frame => (isHeld ? held.push(frame) : socket.send(frame)))
  })
  await page.addInitScript(() => {
    const log: string[] = []
    Object.assign(window, { log })
    // oxlint-disable-next-line typescript/unbound-method -- called on each database below
    const begin = IDBDatabase.prototype.transaction
    IDBDatabase.prototype.transaction = function (names, ...rest) {
      const transaction = begin.call(this, names, ...rest)
      const all = typeof names === 'string' ? [names] : [...names]
      const queue = all.filter(name => /^_(?:pending|optimistic)$/.test(name))
      if (transaction.mode === 'readwrite' && queue.length > 0)
        transaction.addEventListener('complete', () => log.push(`stored ${queue.join(' ')}`))
      return transaction
    }
    addEventListener('rhtmx:users:changed', event => log.push(`told ${event.detail.source}`))
    const socket = Object.getOwnPropertyDescriptor(window, 'WebSocket')?.value as typeof WebSocket
    window.WebSocket = class extends socket {
      override send(data: string): void {
        if (data.includes('"mutate"')) log.push('sent')
        super.send(data)
      }
    }
  })
  await page.goto(on.wire.url)
  await page.evaluate(() => window.rhtmxSync.ready)
  await home(page)
  await expect.poll(() => stored(page, 'users')).toEqual(['1'])
  const log = () => page.evaluate(() => (window as unknown as { log: string[] }).log)
  await page.evaluate(() => void window.rhtmxSync.pushChange('users', 1, 'update', { name: 'Ada' }))
  await expect.poll(log).toContain('sent')
  expect(await log()).toEqual(['told local', 'stored _pending _optimistic', 'sent'])
  // stored there, and not answered here
  await expect.poll(() => columnIn(on.file, 'SELECT name FROM users')).toEqual(['Ada'])
  expect(await stored(page, '_optimistic')).toEqual([['users', '1']])
  expect(await page.evaluate(() => window.rhtmxSync.get('users', 1)?.['name'])).toBe('Ada')
  release()
  await expect.poll(() => stored(page, '_optimistic')).toEqual([])
  await expect(page.locator('#users p')).toHaveText(['Ada'])
  expect((await told(page, 'rhtmx:users:changed')).map(({ source }) => source)).toEqual(['local', 'server'])
})
