// The example, by hand: T-K02.
import path from 'node:path'
import { expect, test } from '@playwright/test'
import type { Browser, Page } from '@playwright/test'
import { closeDevices, newDevice } from './support/devices.ts'
import { sql, todoSync } from './support/processes.ts'
import type { Server } from './support/processes.ts'

let server: Server
let file: string

test.beforeEach(async () => {
  server = await todoSync().start()
  file = path.join(server.folder, 'todo.db')
  await sql(file, "DELETE FROM todos; INSERT INTO todos (id, title, list) VALUES (1, 'Coffee', 'Groceries')")
})
test.afterEach(async () => {
  await closeDevices()
  await server.dispose()
})

/** A window of a browser of its own: another device. */
async function device(browser: Browser): Promise<Page> {
  const page = await newDevice(browser, `http://localhost:${server.port}/`)
  await page.evaluate(() => window.rhtmxSync.ready)
  return page
}

const titles = (page: Page) => page.locator('.todo .title')
const offline = (page: Page) => page.getByRole('switch', { name: 'Work offline' })

async function add(page: Page, title: string): Promise<void> {
  await page.getByLabel('What is to be done?').fill(title)
  await page.keyboard.press('Enter')
}

async function rename(page: Page, from: string, to: string): Promise<void> {
  await page.getByRole('button', { name: `Edit “${from}”` }).click()
  await page.getByRole('dialog').getByLabel('Title').fill(to)
  await page.getByRole('button', { name: 'Save' }).click()
}

/** What the page's own copy holds, what it shows, and what the table holds. */
async function expectEqual(pages: readonly Page[], expected: readonly string[]): Promise<void> {
  for (const page of pages) {
    await expect
      .poll(async () => (await titles(page).allTextContents()).toSorted())
      .toEqual(expected.toSorted())
    await expect.poll(() => page.evaluate(() => window.rhtmxSync.pending().length)).toBe(0)
  }
  const [first, ...others] = await Promise.all(
    pages.map(page =>
      page.evaluate(() =>
        window.rhtmxSync.getAll('todos').toSorted((a, b) => Number(a['id']) - Number(b['id'])),
      ),
    ),
  )
  for (const other of others) expect(other).toEqual(first)
}

test('[C1] T-K02 two windows and a foreign writer see each other’s edits', async ({ browser }) => {
  const [ada, ben] = [await device(browser), await device(browser)]
  await add(ada, 'Milk')
  await expect(titles(ben)).toHaveText(['Milk', 'Coffee'])
  await ben.getByRole('checkbox', { name: 'Coffee' }).check()
  await expect(ada.getByRole('checkbox', { name: 'Coffee' })).toBeChecked()
  await rename(ben, 'Milk', 'Oat milk')
  await expect(titles(ada)).toHaveText(['Oat milk', 'Coffee'])
  await sql(file, "INSERT INTO todos (title, list) VALUES ('From a shell', 'Work')")
  for (const page of [ada, ben]) await expect(titles(page)).toContainText(['From a shell'])
  await ada.getByRole('button', { name: 'Delete “From a shell”' }).click()
  await expect(titles(ben)).toHaveText(['Oat milk', 'Coffee'])
  await ben.getByRole('button', { name: 'Delete what is done' }).click()
  await expectEqual([ada, ben], ['Oat milk'])
})

test('T-K02 T-B08 edits made offline show at once, outlive a reload, and end up everywhere', async ({
  browser,
}) => {
  const [ada, ben] = [await device(browser), await device(browser)]
  await offline(ada).check()
  await expect(ada.locator('#word')).toHaveText('disconnected')
  await add(ada, 'Milk')
  await ada.getByRole('checkbox', { name: 'Coffee' }).check()
  await expect(titles(ada)).toHaveText(['Milk', 'Coffee'])
  await expect(ada.getByRole('status')).toHaveText('Offline. 2 edits wait on this device.')
  await add(ben, 'Bread')
  await rename(ben, 'Coffee', 'Coffee beans')
  await expect(titles(ben)).toHaveText(['Bread', 'Coffee beans'])
  await expect(titles(ada)).toHaveText(['Milk', 'Coffee'])

  await ada.reload()
  await expect(offline(ada)).toBeChecked()
  await expect(titles(ada)).toHaveText(['Milk', 'Coffee'])
  await expect(ada.getByRole('checkbox', { name: 'Coffee' })).toBeChecked()
  await expect(ada.locator('#storage')).toHaveText('IndexedDB')
  await rename(ada, 'Milk', 'Oat milk')
  await expect(titles(ada)).toHaveText(['Oat milk', 'Coffee'])

  await offline(ada).uncheck()
  // at the grain of rows the later edit of a row wins as a whole: Ben's
  await expectEqual([ada, ben], ['Bread', 'Coffee beans', 'Oat milk'])
  await expect(ada.getByRole('status')).toHaveText('Live. Everything is saved.')
})

test('[Q4] [Q5] T-B12 an edit that the server refuses rolls back, says why, and can be repaired', async ({
  browser,
}) => {
  const ada = await device(browser)
  await offline(ada).check()
  await ada.getByLabel('List', { exact: true }).first().selectOption('Groceries')
  await add(ada, 'Coffee')
  await expect(titles(ada)).toHaveText(['Coffee', 'Coffee'])
  await offline(ada).uncheck()
  const letters = ada.getByRole('region', { name: 'Could not be saved' })
  await expect(letters).toContainText('Add “Coffee” to Groceries')
  await expect(titles(ada)).toHaveText(['Coffee'])
  await letters.getByRole('button', { name: 'Retry' }).click()
  await expect(letters).toContainText('CONSTRAINT_FAILED')
  await letters.getByRole('button', { name: 'Change' }).click()
  await ada.getByRole('dialog').getByLabel('Title').fill('Coffee filters')
  await ada.getByRole('button', { name: 'Save' }).click()
  await expect(letters).toBeHidden()
  await expectEqual([ada], ['Coffee', 'Coffee filters'])
})

test('what a row holds is text, whoever wrote it', async ({ browser }) => {
  const page = await device(browser)
  const evil = '<img src=x onerror="document.title=1">'
  await add(page, evil)
  await sql(file, `UPDATE todos SET notes = '"><script>document.title=2</script>'`)
  await expect(page.locator('.notes')).toHaveText([
    '"><script>document.title=2</script>',
    '"><script>document.title=2</script>',
  ])
  await expect(titles(page)).toHaveText([evil, 'Coffee'])
  await offline(page).check()
  await add(page, '<b>offline</b>')
  await expect(titles(page).first()).toHaveText('<b>offline</b>')
  expect(await page.title()).toBe('Todos · Syncline')
})

test('a todo without a name is not written at all, and one of another script reads from its own side', async ({
  browser,
}) => {
  const page = await device(browser)
  await page.getByRole('button', { name: 'Edit “Coffee”' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('Title').fill('   ')
  await dialog.getByRole('button', { name: 'Save' }).click()
  await expect(dialog).toBeVisible()
  await dialog.getByLabel('Title').fill('قهوة (٢)!')
  await dialog.getByRole('button', { name: 'Save' }).click()
  await expect(titles(page)).toHaveText(['قهوة (٢)!'])
  await expect(titles(page)).toHaveCSS('direction', 'rtl')
  await add(page, 'Milk')
  await expect(titles(page).first()).toHaveCSS('direction', 'ltr')
})

test('by keyboard: whoever deletes, discards or dismisses goes on from there', async ({ browser }) => {
  const page = await device(browser)
  await sql(
    file,
    "INSERT INTO todos (id, title, list) VALUES (2, 'Tea', 'Groceries'), (3, 'Letter', 'Home'), (4, 'Milk', 'Groceries')",
  )
  await expect(titles(page)).toHaveText(['Milk', 'Letter', 'Tea', 'Coffee'])
  const remove = (title: string) => page.getByRole('button', { name: `Delete “${title}”` })
  // the letter is not among what is shown
  await page.getByRole('radio', { name: 'Groceries' }).check()
  await remove('Milk').focus()
  await page.keyboard.press('Enter')
  await expect(remove('Tea')).toBeFocused()
  await remove('Coffee').focus()
  await page.keyboard.press('Enter')
  await expect(remove('Tea')).toBeFocused()
  await page.keyboard.press('Enter')
  await expect(page.getByText('Nothing to do here.')).toBeFocused()

  await page.getByRole('radio', { name: 'All' }).check()
  await page.getByLabel('List', { exact: true }).first().selectOption('Home')
  await add(page, 'Letter')
  const letters = page.getByRole('region', { name: 'Could not be saved' })
  const discard = letters.getByRole('button', { name: 'Discard' })
  await expect(discard).toBeVisible()
  // the row of what was refused goes with the next rows
  await expect(titles(page)).toHaveText(['Letter'])
  await discard.focus()
  await page.keyboard.press('Enter')
  await expect(page.getByRole('checkbox', { name: 'Letter' })).toBeFocused()
  expect(await page.getByRole('status').textContent()).toBe('Live. Everything is saved.')

  await offline(page).check()
  await rename(page, 'Letter', 'Mine')
  // before: whose clock is ahead decides
  await expect(titles(page)).toHaveText(['Mine'])
  await sql(file, "UPDATE todos SET title = 'Theirs'")
  await offline(page).uncheck()
  await page.getByRole('log').getByRole('button', { name: 'OK' }).focus()
  await page.keyboard.press('Enter')
  await expect(page.getByRole('checkbox', { name: 'Theirs' })).toBeFocused()
})

test('a todo that is ticked goes below the others, and the page stays where it is', async ({ browser }) => {
  const page = await device(browser)
  await page.setViewportSize({ width: 390, height: 600 })
  const more = Array.from({ length: 30 }, (_, i) => `('Todo ${i}', 'Home')`)
  await sql(file, `INSERT INTO todos (title, list) VALUES ${more.join()}`)
  await expect(titles(page)).toHaveCount(31)
  for (const away of [false, true]) {
    if (away) await page.evaluate(() => window.rhtmxSync.disconnect())
    const title = (await titles(page).first().textContent()) ?? ''
    const box = page.getByRole('checkbox', { name: title, exact: true })
    await box.scrollIntoViewIfNeeded()
    const place = await page.evaluate(() => window.scrollY)
    await box.click()
    await expect(page.locator('.done .title').getByText(title, { exact: true })).toHaveCount(1)
    await expect(titles(page).first()).not.toHaveText(title)
    expect(await page.evaluate(() => window.scrollY)).toBe(place)
  }
})

test('what the status says takes one line on a phone: nothing below it moves', async ({ browser }) => {
  const page = await device(browser)
  await page.setViewportSize({ width: 390, height: 844 })
  const list = page.getByRole('list', { name: 'Todos' })
  await expect(page.getByRole('status')).toHaveText('Live. Everything is saved.')
  const before = await list.boundingBox()
  await page.evaluate(() => window.rhtmxSync.disconnect())
  await expect(page.getByRole('status')).toHaveText('Offline. What you edit is kept here.')
  expect((await list.boundingBox())?.y).toBe(before?.y)
  await page.getByRole('checkbox', { name: 'Coffee' }).check()
  await expect(page.getByRole('status')).toHaveText('Offline. 1 edit waits on this device.')
  expect((await list.boundingBox())?.y).toBe(before?.y)
})
