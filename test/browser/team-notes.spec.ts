// The example of people who see different rows and columns of one table, by hand.
import path from 'node:path'
import { expect, test } from '@playwright/test'
import type { Browser, Locator, Page } from '@playwright/test'
import { closeDevices, newDevice } from './support/devices.ts'
import { sql, teamNotes } from './support/processes.ts'
import type { Server } from './support/processes.ts'

let server: Server
let file: string

test.beforeEach(async () => {
  server = await teamNotes().start()
  file = path.join(server.folder, 'notes.db')
  await sql(
    file,
    `DELETE FROM notes;
     INSERT INTO notes (id, team, owner, text, remark) VALUES
       (1, 'Kitchen', 'ben', 'Fish at six', 'from the other merchant'),
       (2, 'Kitchen', 'ada', 'Oven two is hot', ''),
       (3, 'Bar', 'cleo', 'Tonic is out', '')`,
  )
})
test.afterEach(async () => {
  await closeDevices()
  await server.dispose()
})

/** A browser of its own, in which somebody has signed in. */
async function as(browser: Browser, name: string): Promise<Page> {
  const page = await newDevice(browser, `http://localhost:${server.port}/`)
  await page.getByRole('button', { name }).click()
  await expect(page.locator('#pill')).toHaveText('connected')
  return page
}

const texts = (page: Page) => page.locator('.note .title')
const note = (page: Page, text: string) => page.locator('.note', { hasText: text })
const letters = (page: Page) => page.getByRole('alert')
const copy = (page: Page) => page.evaluate(() => window.rhtmxSync.getAll('notes'))
/** Whose it is; another one is how it is handed over. */
const owner = (row: Locator) => row.getByRole('combobox')

/** On screen, rendered by the server's SQL, and in the copy, which the rules let through. */
async function expectNotes(page: Page, expected: readonly string[]): Promise<void> {
  await expect(texts(page)).toHaveText(expected)
  await expect
    .poll(async () => new Set((await copy(page)).map(row => row['text'])))
    .toEqual(new Set(expected))
}

test('[V1] three people see three views of one table', async ({ browser }) => {
  const [ada, ben, cleo] = [await as(browser, 'Ada'), await as(browser, 'Ben'), await as(browser, 'Cleo')]
  await expectNotes(ada, ['Tonic is out', 'Oven two is hot', 'Fish at six'])
  await expectNotes(ben, ['Oven two is hot', 'Fish at six'])
  await expectNotes(cleo, ['Tonic is out'])

  const remark = ada.getByLabel('Remark on “Fish at six”')
  await remark.clear()
  // typed, as Firefox takes what is filled in for no change by the user
  await remark.pressSequentially('the old one is closed')
  await remark.press('Enter')
  await expect.poll(() => ada.evaluate(() => window.rhtmxSync.pending().length)).toBe(0)
  await sql(file, "UPDATE notes SET text = text || ', sharp' WHERE id = 1")
  await expectNotes(ben, ['Oven two is hot', 'Fish at six, sharp'])
  await expect(ada.getByLabel('Remark on “Fish at six, sharp”')).toHaveValue('the old one is closed')
  expect(Object.keys((await copy(ada))[0] ?? {})).toContain('remark')
  for (const page of [ben, cleo]) {
    for (const row of await copy(page)) expect(row).not.toHaveProperty('remark')
    expect(await page.content()).not.toContain('the old one')
  }
})

test('[V2] [V3] a note that is handed over leaves one screen and appears on the other', async ({
  browser,
}) => {
  const [ben, cleo] = [await as(browser, 'Ben'), await as(browser, 'Cleo')]
  await expectNotes(cleo, ['Tonic is out'])
  await owner(note(ben, 'Fish at six')).selectOption('Cleo')
  await expectNotes(ben, ['Oven two is hot'])
  await expectNotes(cleo, ['Tonic is out', 'Fish at six'])

  // whose it is now, the other may give it back
  await owner(note(cleo, 'Fish at six')).selectOption('Ben')
  await expectNotes(cleo, ['Tonic is out'])
  await expectNotes(ben, ['Oven two is hot', 'Fish at six'])
})

test('[V7] [Q4] [Q5] what may not be written is refused with its reason, and rolled back', async ({
  browser,
}) => {
  const ben = await as(browser, 'Ben')
  await expectNotes(ben, ['Oven two is hot', 'Fish at six'])
  await note(ben, 'Oven two').getByRole('checkbox').click()
  await expect(letters(ben)).toContainText('Change “Oven two is hot”')
  await expect(letters(ben)).toContainText('This note is Ada’s')
  await expect(letters(ben)).toContainText('FORBIDDEN')
  await expect(note(ben, 'Oven two').getByRole('checkbox')).not.toBeChecked()
  await letters(ben).getByRole('button', { name: 'Discard' }).click()
  await expect(letters(ben)).toBeHidden()

  await note(ben, 'Fish at six').getByRole('checkbox').check()
  const ada = await as(browser, 'Ada')
  await expect(note(ada, 'Fish at six').getByRole('checkbox')).toBeChecked()
  await note(ada, 'Fish at six').getByRole('checkbox').uncheck()
  await expect(note(ben, 'Fish at six').getByRole('checkbox')).not.toBeChecked()
  await expect(letters(ada)).toBeHidden()
})

test('[V7] who a note belongs to, the server says', async ({ browser }) => {
  const [ben, cleo] = [await as(browser, 'Ben'), await as(browser, 'Cleo')]
  await cleo.getByLabel('A note for the bar').fill('Lemons')
  await cleo.keyboard.press('Enter')
  await expectNotes(cleo, ['Lemons', 'Tonic is out'])
  await cleo.evaluate(() =>
    window.rhtmxSync.pushChange('notes', null, 'create', { owner: 'ben', team: 'Kitchen', text: 'From Ben' }),
  )
  await expectNotes(cleo, ['From Ben', 'Lemons', 'Tonic is out'])
  await expect(owner(note(cleo, 'From Ben'))).toHaveValue('cleo')
  await expectNotes(ben, ['Oven two is hot', 'Fish at six'])
})

test('[A5] [F8] a sign-out ends the other windows of the sign-in; the next person sees their own', async ({
  browser,
}) => {
  const ben = await as(browser, 'Ben')
  await expectNotes(ben, ['Oven two is hot', 'Fish at six'])
  const second = await ben.context().newPage()
  await second.goto(`http://localhost:${server.port}/`)
  await expectNotes(second, ['Oven two is hot', 'Fish at six'])
  await second.getByRole('button', { name: 'Sign out' }).click()
  for (const page of [ben, second]) await expect(page.getByText('Who are you?')).toBeVisible()
  await second.getByRole('button', { name: 'Cleo' }).click()
  await expectNotes(second, ['Tonic is out'])
})

test('what a note holds is text, whoever wrote it', async ({ browser }) => {
  const evil = '"><img src=x onerror="document.title=1">'
  const ben = await as(browser, 'Ben')
  await ben.getByLabel('A note for the kitchen').fill(evil)
  await ben.keyboard.press('Enter')
  const ada = await as(browser, 'Ada')
  for (const page of [ben, ada]) {
    await expect(texts(page).first()).toHaveText(evil)
    expect(await page.title()).toBe('Team notes · Syncline')
  }
})

test('a remark that is being typed is not taken away by what comes in, nor a click that follows it', async ({
  browser,
}) => {
  const ada = await as(browser, 'Ada')
  await expectNotes(ada, ['Tonic is out', 'Oven two is hot', 'Fish at six'])
  const remark = (text: string) => ada.getByLabel(`Remark on “${text}”`)
  await remark('Tonic is out').pressSequentially('half a')
  await sql(file, "UPDATE notes SET text = 'Oven two is cold' WHERE id = 2")
  await expect.poll(async () => (await copy(ada)).map(row => row['text'])).toContain('Oven two is cold')
  await remark('Tonic is out').pressSequentially(' remark')
  await expect(remark('Tonic is out')).toHaveValue('half a remark')

  // a click takes a while, in which the remark is written and rows come in
  await note(ada, 'Fish at six').getByRole('checkbox').click({ delay: 300 })
  await expect(note(ada, 'Fish at six').getByRole('checkbox')).toBeChecked()
  await expect(texts(ada)).toHaveText(['Tonic is out', 'Oven two is cold', 'Fish at six'])
  await expect(remark('Tonic is out')).toHaveValue('half a remark')
  await expect.poll(() => ada.evaluate(() => window.rhtmxSync.pending().length)).toBe(0)
  const ben = await as(browser, 'Ben')
  await expect(note(ben, 'Fish at six').getByRole('checkbox')).toBeChecked()
  await ada.bringToFront()
  await ada.reload()
  await expect(remark('Tonic is out')).toHaveValue('half a remark')

  // taken back: what came in meanwhile shows when the field is left
  await remark('Oven two is cold').pressSequentially('x')
  await sql(file, "UPDATE notes SET text = 'Gin is out' WHERE id = 3")
  await expect.poll(async () => (await copy(ada)).map(row => row['text'])).toContain('Gin is out')
  await remark('Oven two is cold').press('Backspace')
  await remark('Oven two is cold').blur()
  await expect(texts(ada).first()).toHaveText('Gin is out')
})

test('by keyboard: the focus stays where it was, or comes to what is in its place', async ({ browser }) => {
  const ben = await as(browser, 'Ben')
  await note(ben, 'Oven two').getByRole('checkbox').focus()
  await ben.keyboard.press('Space')
  const discard = letters(ben).getByRole('button', { name: 'Discard' })
  await discard.focus()
  await sql(file, "UPDATE notes SET text = 'Fish at seven' WHERE id = 1")
  await expect(texts(ben)).toHaveText(['Oven two is hot', 'Fish at seven'])
  await expect(discard).toBeFocused()
  await ben.keyboard.press('Enter')
  await expect(note(ben, 'Oven two').getByRole('checkbox')).toBeFocused()

  await ben.getByRole('button', { name: 'Delete “Fish at seven”' }).focus()
  await sql(file, 'UPDATE notes SET done = 1 WHERE id = 2')
  await expect(texts(ben)).toHaveText(['Fish at seven', 'Oven two is hot'])
  await ben.keyboard.press('Enter')
  await expect(texts(ben)).toHaveText(['Oven two is hot'])
  await expect(ben.getByRole('button', { name: 'Delete “Oven two is hot”' })).toBeFocused()
  await sql(file, 'DELETE FROM notes')
  await expect(ben.getByText('No notes here.')).toBeFocused()
})

test('on a phone, and offline, the page says so in words, at the same height', async ({ browser }) => {
  const ben = await as(browser, 'Ben')
  await ben.setViewportSize({ width: 320, height: 640 })
  const status = ben.getByRole('status')
  await expect(status).toHaveText('Signed in as Ben, who sees the notes of the kitchen.')
  const form = ben.getByLabel('A note for the kitchen')
  const before = await form.boundingBox()
  await ben.evaluate(() => window.rhtmxSync.disconnect())
  await expect(status).toHaveText('Offline. What you edit is kept here.')
  await form.fill('Salt')
  await form.press('Enter')
  await expect(status).toHaveText('Offline. 1 edit waits on this device.')
  expect(await form.boundingBox()).toEqual(before)
  expect(await ben.locator(':root').evaluate(html => html.scrollWidth - html.clientWidth)).toBe(0)
  await ben.evaluate(() => window.rhtmxSync.connect())
  await expect(status).toHaveText('Signed in as Ben, who sees the notes of the kitchen.')
})
