// `data-rhtmx-bind`: what is on screen follows the page's own copy, whatever htmx fetches meanwhile.
import { expect, test } from '@playwright/test'
import type { Page } from '@playwright/test'
import { home } from './support/home.ts'
import { sql } from './support/processes.ts'
import { freshSite } from './support/site.ts'

const on = freshSite("INSERT INTO users (id, name) VALUES (1, 'Grace'), (7, 'Alan')")

async function open(page: Page, body: string, htmx = 'htmx2'): Promise<void> {
  await page.goto(`${on.wire.url}/?htmx=${htmx}&body=${encodeURIComponent(body)}`)
  await page.evaluate(() => window.rhtmxSync.ready)
  await home(page)
}

/** Every text that a frame showed from now on, each once in a row. */
async function watch(page: Page, selector: string): Promise<() => Promise<string[]>> {
  await page.evaluate(selector => {
    const seen: string[] = []
    Object.assign(window, { seen })
    const look = (): void => {
      const text = document.querySelector(selector)?.textContent ?? '(gone)'
      if (seen.at(-1) !== text) seen.push(text)
      requestAnimationFrame(look)
    }
    look()
  }, selector)
  // reason: set above
  return () => page.evaluate(() => (window as unknown as { seen: string[] }).seen)
}

const push = (page: Page, name: string) =>
  page.evaluate(name => window.rhtmxSync.pushChange('users', 1, 'update', { name }), name)
const slowList = `<div id="users" hx-get="/api/users?bind=1&delay=200" hx-trigger="load, rhtmx:users:changed from:body"></div>`

for (const htmx of ['htmx1', 'htmx2', 'htmx4']) {
  test(`[F4] X25 T-P10 a slow server: the new value at once, never the old one again, right after the ack: ${htmx}`, async ({
    page,
  }) => {
    await open(page, slowList, htmx)
    const grace = page.locator('p[data-id="1"]')
    await expect(grace).toHaveText('Grace')
    const seen = await watch(page, 'p[data-id="1"]')
    const shown = await page.evaluate(() => {
      void window.rhtmxSync.pushChange('users', 1, 'update', { name: 'Ada' })
      // in the same turn, so in the same frame
      return document.querySelector('p[data-id="1"]')?.textContent
    })
    expect(shown).toBe('Ada')
    // the event of the edit, and that of its confirmation, each fetched rows
    await expect.poll(async () => Number(await (await fetch(`${on.wire.url}/fetched`)).text())).toBe(3)
    await expect.poll(() => page.evaluate(() => window.rhtmxSync.pending().length)).toBe(0)
    await expect(page.locator('.htmx-request')).toHaveCount(0)
    await expect(grace).toHaveText('Ada')
    expect(await seen()).toEqual(['Grace', 'Ada'])
  })
}

test('[F4] X25 offline, and back after a cut: the edit stays on screen, a failed fetch blanks nothing', async ({
  page,
}) => {
  await open(page, slowList)
  await expect(page.locator('p[data-id="1"]')).toHaveText('Grace')
  const seen = await watch(page, 'p[data-id="1"]')
  on.wire.cut()
  await expect.poll(() => page.evaluate(() => window.rhtmxSync.isOnline)).toBe(false)
  expect(await push(page, 'Ada')).toMatchObject({ status: 'queued' })
  await expect(page.locator('#users p')).toHaveText(['Ada', 'Alan'])
  await sql(on.file, "UPDATE users SET name = 'Edsger' WHERE id = 7")
  on.wire.mend()
  await expect(page.locator('#users p')).toHaveText(['Ada', 'Edsger'])
  expect(await seen()).toEqual(['Grace', 'Ada'])
})

test('[F4] X25 a frozen wire: shown at once all the same', async ({ page }) => {
  await open(page, slowList)
  await expect(page.locator('p[data-id="1"]')).toHaveText('Grace')
  on.wire.freeze()
  await page.evaluate(() => void window.rhtmxSync.pushChange('users', 1, 'update', { name: 'Ada' }))
  await expect(page.locator('p[data-id="1"]')).toHaveText('Ada')
  on.wire.mend()
  await expect.poll(() => page.evaluate(() => window.rhtmxSync.pending().length)).toBe(0)
  await expect(page.locator('p[data-id="1"]')).toHaveText('Ada')
})

test('[F4] X71 a bound name that looks like HTML is text, and so is its title', async ({ page }) => {
  const evil = '<img src=x onerror="document.title=1">'
  await open(
    page,
    '<p id="name" data-rhtmx-bind="users:1:name"></p><textarea data-rhtmx-bind="users:1:name"></textarea>',
  )
  await sql(on.file, `UPDATE users SET name = '${evil}' WHERE id = 1`)
  await expect(page.locator('#name')).toHaveText(evil)
  await expect(page.locator('textarea')).toHaveValue(evil)
  expect(await page.locator('img').count()).toBe(0)
  expect(await page.title()).toBe('')
})

test('[F4] a place without an id, or none at all, keeps what it shows, and the page goes on', async ({
  page,
}) => {
  const errors: Error[] = []
  page.on('pageerror', error => errors.push(error))
  const bound = ['users::name', 'users:1', ''].map(place => `<i data-rhtmx-bind="${place}">rendered</i>`)
  await open(page, `${bound.join('')}<p data-rhtmx-bind="users:1:name"></p>`)
  await push(page, 'Ada')
  await expect(page.locator('p')).toHaveText('Ada')
  await expect(page.locator('i')).toHaveText(['rendered', 'rendered', 'rendered'])
  expect(errors).toEqual([])
})

test('[F4] controls: values of all kinds, and nothing over what somebody types', async ({ page }) => {
  await sql(on.file, "INSERT INTO things (id, label, amount, done, color) VALUES (3, 'lamp', 2, 1, 'red')")
  const body = `<form>
    <input id="label" data-rhtmx-bind="things:3:label" value="lamp">
    <input id="amount" type="number" data-rhtmx-bind="things:3:amount" value="2">
    <input id="done" type="checkbox" data-rhtmx-bind="things:3:done">
    <input id="red" type="radio" name="color" value="red" data-rhtmx-bind="things:3:color">
    <input id="blue" type="radio" name="color" value="blue" data-rhtmx-bind="things:3:color">
    <select data-rhtmx-bind="things:3:color"><option>blue<option>red</select>
    <output data-rhtmx-bind="things:3:price">?</output><i data-rhtmx-bind="things:4:label">rendered</i>
    <button type="reset">Reset</button></form>`
  const attributes = encodeURIComponent('data-sync-entities="things"')
  await page.goto(`${on.wire.url}/?attributes=${attributes}&body=${encodeURIComponent(body)}`)
  await expect(page.locator('#done')).toBeChecked()
  await expect(page.locator('#red')).toBeChecked()
  await expect(page.locator('select')).toHaveValue('red')
  await expect(page.locator('output')).toHaveText('')
  await expect(page.locator('i')).toHaveText('rendered')

  await page.locator('#label').focus()
  await page.keyboard.type('desk ')
  const typed = await page.locator('#label').inputValue()
  await sql(on.file, "UPDATE things SET label = 'chair', amount = 5, done = 0, color = 'blue', price = 1.5")
  await expect(page.locator('#amount')).toHaveValue('5')
  await expect(page.locator('#done')).not.toBeChecked()
  await expect(page.locator('#blue')).toBeChecked()
  await expect(page.locator('select')).toHaveValue('blue')
  await expect(page.locator('output')).toHaveText('1.5')
  // neither while it has the focus, nor when it has lost it
  await expect(page.locator('#label')).toHaveValue(typed)
  await page.locator('#amount').focus()
  await sql(on.file, "UPDATE things SET label = 'stool', amount = 6, price = 2")
  await expect(page.locator('output')).toHaveText('2')
  await expect(page.locator('#label')).toHaveValue(typed)
  // with the focus, but nothing typed: when the focus goes
  await expect(page.locator('#amount')).toHaveValue('5')
  await page.locator('#label').focus()
  await expect(page.locator('#amount')).toHaveValue('6')
  await page.getByRole('button', { name: 'Reset' }).click()
  await expect(page.locator('#label')).toHaveValue('stool')
})
