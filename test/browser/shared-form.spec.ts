// The example of two people and one form, by hand.
import path from 'node:path'
import { expect, test } from '@playwright/test'
import type { Browser, Page } from '@playwright/test'
import { closeDevices, newDevice } from './support/devices.ts'
import { sharedForm, sql } from './support/processes.ts'
import type { Server } from './support/processes.ts'
import './support/recorder.ts'

let server: Server
let file: string

test.beforeEach(async () => {
  server = await sharedForm().start()
  file = path.join(server.folder, 'plans.db')
})
test.afterEach(async () => {
  await closeDevices()
  await server.dispose()
})

async function device(browser: Browser, person: 'ada' | 'ben'): Promise<Page> {
  const page = await newDevice(browser, `http://localhost:${server.port}/?as=${person}`)
  await page.evaluate(() => window.RHTMXFieldSync.ready)
  return page
}

const offline = (page: Page) => page.getByRole('switch', { name: 'Work offline' })
const question = (page: Page) => page.getByRole('region', { name: 'Two values' })

async function fill(page: Page, label: string, value: string): Promise<void> {
  const control = page.getByRole(label === 'How many come' ? 'spinbutton' : 'textbox', {
    name: label,
    exact: true,
  })
  await control.fill('')
  // as a person types: only that is a change to every browser, and one that is not in front has no focus to lose
  await control.pressSequentially(value)
  await control.press('Enter')
}

const sent = (page: Page) =>
  expect.poll(() => page.evaluate(() => window.RHTMXFieldSync.pending().length)).toBe(0)

test('T-F09 different fields, both offline: both are kept, and nobody is asked', async ({ browser }) => {
  const [ada, ben] = [await device(browser, 'ada'), await device(browser, 'ben')]
  for (const one of [ada, ben]) await offline(one).check()
  await fill(ada, 'Where', 'The lake')
  await fill(ben, 'Food and drink', 'Lemon tart')
  await fill(ben, 'How many come', '30')
  await expect(ben.getByRole('status')).toHaveText('Offline. 2 edits wait on this device.')
  await ben.reload()
  await expect(ben.getByLabel('Food and drink')).toHaveValue('Lemon tart')
  await expect(ben.locator('.waiting:visible')).toHaveCount(2)
  for (const one of [ada, ben]) await offline(one).uncheck()
  for (const one of [ada, ben]) {
    await expect(one.getByLabel('Where')).toHaveValue('The lake')
    await expect(one.getByLabel('Food and drink')).toHaveValue('Lemon tart')
    await expect(one.getByLabel('How many come')).toHaveValue('30')
    await expect(one.getByRole('status')).toHaveText('Live. Everything is saved.')
    await expect(question(one)).toHaveCount(0)
  }
  await sql(file, 'UPDATE plans SET guests = 31')
  for (const one of [ada, ben]) await expect(one.getByLabel('How many come')).toHaveValue('31')
})

/** Both have written another place, and Ben's is the one that stands: `theirs`. */
async function collide(browser: Browser, theirs = 'Ben’s garden'): Promise<[Page, Page]> {
  const [ada, ben] = [await device(browser, 'ada'), await device(browser, 'ben')]
  for (const one of [ada, ben]) await offline(one).check()
  await fill(ada, 'Where', 'The lake')
  await fill(ben, 'Where', theirs)
  await offline(ben).uncheck()
  await sent(ben)
  await offline(ada).uncheck()
  for (const one of [ada, ben]) await expect(question(one)).toHaveCount(1)
  return [ada, ben]
}

test('[I1] [F13] T-F11 the same field: both are asked beside it, with both values, who and when; one answers', async ({
  browser,
}) => {
  const [ada, ben] = await collide(browser)
  await expect(ada.locator('[data-field=place] .conflict')).toContainText(
    /Ben and you wrote here without knowing of each other.*Ben\s+\d\d:\d\d\s*stands now\s*Ben’s garden.*You\s+\d\d:\d\d\s*The lake/s,
  )
  await expect(question(ben)).toContainText(/You and Ada.*You.*Ben’s garden.*Ada.*The lake/s)
  await expect(ada.getByRole('textbox', { name: 'Where' })).toHaveValue('Ben’s garden')
  await expect(ada.getByRole('status')).toContainText('1 question')
  await question(ada).getByRole('button', { name: 'Use this' }).click()
  for (const one of [ada, ben]) {
    await expect(one.getByLabel('Where')).toHaveValue('The lake')
    await expect(question(one)).toHaveCount(0)
    await expect(one.getByRole('status')).toHaveText('Live. Everything is saved.')
  }
})

test('[I4] an answer that is given offline, and one that is something else', async ({ browser }) => {
  const [ada, ben] = await collide(browser)
  await offline(ben).check()
  await question(ben).getByRole('button', { name: 'Keep this' }).click()
  await expect(question(ben)).toHaveCount(0)
  await expect(question(ada)).toHaveCount(1)
  await offline(ben).uncheck()
  await expect(question(ada)).toHaveCount(0)
  for (const one of [ada, ben]) await expect(one.getByLabel('Where')).toHaveValue('Ben’s garden')

  const again = await collide(browser, 'The roof')
  await fill(again[0], 'Where', 'The garden by the lake')
  for (const one of [...again, ada, ben]) {
    await expect(question(one)).toHaveCount(0)
    await expect(one.getByLabel('Where')).toHaveValue('The garden by the lake')
  }
})

test('[Q4] what the table refuses is said beside its field; and what comes while somebody types is offered', async ({
  browser,
}) => {
  const [ada, ben] = [await device(browser, 'ada'), await device(browser, 'ben')]
  await fill(ada, 'How many come', '900')
  const refused = ada.getByRole('region', { name: 'Could not be saved' })
  await expect(refused).toContainText('900 could not be saved. The boathouse takes 60.')
  expect(await ada.evaluate(() => window.RHTMXFieldSync.getField('plans', 1, 'guests'))).toBe(24)
  await refused.getByRole('button', { name: 'Forget it' }).click()
  await expect(refused).toHaveCount(0)

  const title = ben.getByLabel('What', { exact: true })
  await title.focus()
  await title.press('End')
  await title.pressSequentially(' in the garden')
  await fill(ada, 'What', 'Midsummer')
  await expect(ben.locator('.note')).toContainText('Just now this became Midsummer')
  await expect(title).toHaveValue('Summer party in the garden')
  await ben.getByRole('button', { name: 'Take it' }).click()
  await expect(title).toHaveValue('Midsummer')
  await expect(ben.locator('.note')).toHaveCount(0)
})

test('what a field holds is text, whoever wrote it', async ({ browser }) => {
  const evil = '"><img src=x onerror="title=1">'
  const [ada, ben] = [await device(browser, 'ada'), await device(browser, 'ben')]
  await offline(ben).check()
  await fill(ben, 'Where', evil)
  await fill(ada, 'Where', `${evil}!`)
  await offline(ben).uncheck()
  for (const one of [ada, ben]) {
    await expect(question(one)).toContainText(`${evil}!`)
    expect(await one.title()).toBe('Party plan · Syncline')
  }
})

test('without scripts it is a form', { tag: '@chromium' }, async ({ browser }) => {
  const ada = await device(browser, 'ada')
  const context = await browser.newContext({ javaScriptEnabled: false })
  const plain = await context.newPage()
  await plain.goto(`http://localhost:${server.port}/`)
  await plain.getByLabel('Food and drink').fill('Cake')
  await plain.getByRole('button', { name: 'Save' }).click()
  await expect(plain.getByLabel('Food and drink')).toHaveValue('Cake')
  await expect(ada.getByLabel('Food and drink')).toHaveValue('Cake')
  await context.close()
})

test('who goes on typing after Enter is told of what comes meanwhile', async ({ browser }) => {
  const [ada, ben] = [await device(browser, 'ada'), await device(browser, 'ben')]
  const title = ben.getByLabel('What', { exact: true })
  await fill(ben, 'What', 'Party ')
  await expect(ada.getByLabel('What', { exact: true })).toHaveValue('Party')
  await expect(title).toHaveValue('Party')
  await expect(ben.locator('.note')).toHaveCount(0)
  await title.pressSequentially(' by the lake')
  await fill(ada, 'What', 'Midsummer')
  await expect(ben.locator('.note')).toContainText('Just now this became Midsummer')
  await expect(title).toHaveValue('Party by the lake')
})

test('spaces around a text are not written, and the field follows on', async ({ browser }) => {
  const [ada, ben] = [await device(browser, 'ada'), await device(browser, 'ben')]
  await fill(ben, 'Where', ' The lake ')
  await ben.getByLabel('Where').blur()
  await expect(ada.getByLabel('Where')).toHaveValue('The lake')
  await fill(ada, 'Where', 'The roof')
  await expect(ben.getByLabel('Where')).toHaveValue('The roof')

  await fill(ben, 'What', '  ')
  await ben.getByLabel('What', { exact: true }).blur()
  const refused = ben.getByRole('region', { name: 'Could not be saved: What' })
  await expect(refused).toContainText('An empty field could not be saved. The party needs a name.')
  await expect(ben.getByLabel('What', { exact: true })).toHaveValue('Summer party')
})

test('by keyboard: whoever answers is in the field then', async ({ browser }) => {
  const [ada] = await collide(browser)
  await ada.bringToFront()
  await ada
    .getByRole('region', { name: 'Two values: Where' })
    .getByRole('button', { name: 'Use this' })
    .focus()
  await ada.keyboard.press('Enter')
  await expect(question(ada)).toHaveCount(0)
  await expect(ada.getByLabel('Where')).toBeFocused()
  await expect(ada.getByLabel('Where')).toHaveValue('The lake')
  await expect(ada.locator('.note')).toHaveCount(0)
})

test('[I4] both answer the same question offline: nothing is left to be settled', async ({ browser }) => {
  const both = await collide(browser)
  for (const one of both) await offline(one).check()
  for (const one of both) await question(one).getByRole('button', { name: 'Keep this' }).click()
  for (const one of both) await offline(one).uncheck()
  for (const one of both) await sent(one)
  for (const one of both) await expect(one.getByRole('status')).toHaveText('Live. Everything is saved.')
  await fill(both[0], 'Food and drink', 'Settled')
  await expect(both[1].getByLabel('Food and drink')).toHaveValue('Settled')
  for (const one of both) await expect(one.locator('#open')).toHaveText('nothing')
})
