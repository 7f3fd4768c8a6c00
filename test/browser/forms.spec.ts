// Forms that keep working offline: `data-rhtmx-form`.
import { expect, test } from '@playwright/test'
import type { Page } from '@playwright/test'
import { home } from './support/home.ts'
import { sql } from './support/processes.ts'
import { told } from './support/recorder.ts'
import { freshSite } from './support/site.ts'

const on = freshSite("INSERT INTO things (id, label, amount, done) VALUES (3, 'lamp', 2, 1)")

const attributes = 'data-sync-entities="things"'

async function open(page: Page, body: string, htmx = 'htmx2'): Promise<void> {
  const query = new URLSearchParams({ htmx, attributes, body })
  await page.goto(`${on.wire.url}/?${query}`)
  await page.evaluate(() => window.rhtmxSync.ready)
}

async function cut(page: Page): Promise<void> {
  on.wire.cut()
  await expect.poll(() => page.evaluate(() => window.rhtmxSync.isOnline)).toBe(false)
}

const things = (page: Page) => page.evaluate(() => window.rhtmxSync.getAll('things'))
const sent = async (): Promise<unknown> => (await fetch(`http://localhost:${on.server.port}/forms`)).json()

const fields = `
  <input name="label" required><input name="amount" type="number"><input name="price">
  <input name="done" type="checkbox" checked><input type="hidden" name="csrf" value="secret">
  <select name="color"><option>red<option>blue</select>
  <button name="via" value="first">First</button><button name="via" value="second">Second</button>`
const addForm = (more = '') =>
  `<form id="add" hx-post="/form" hx-target="#answer" data-rhtmx-form="things" ${more}>${fields}</form><p id="answer"></p>`

for (const htmx of ['htmx1', 'htmx2', 'htmx4']) {
  test(`[F6] a form online is the server's, offline a queued write with the same fields: ${htmx}`, async ({
    page,
  }) => {
    await open(page, addForm(), htmx)
    await page.locator('[name=label]').fill('online')
    await page.getByRole('button', { name: 'First' }).click()
    await expect(page.locator('#answer')).toHaveText('stored by the server')
    expect(await sent()).toEqual(['POST online'])
    expect(await told(page, 'rhtmx:form:queued')).toEqual([])

    await cut(page)
    await page.locator('[name=label]').fill('chair <b>')
    await page.locator('[name=amount]').fill('4')
    await page.locator('[name=price]').fill('19.90')
    await page.locator('[name=done]').uncheck()
    await page.locator('[name=color]').selectOption('blue')
    await page.getByRole('button', { name: 'Second' }).click()
    const data = { label: 'chair <b>', amount: 4, price: 19.9, done: false, color: 'blue', via: 'second' }
    await expect
      .poll(() => told(page, 'rhtmx:form:queued'))
      .toEqual([{ entity: 'things', id: expect.stringMatching(/^tmp_/), action: 'create', data }])
    expect(await things(page)).toContainEqual(expect.objectContaining(data))
    // as after a successful request: room for the next
    await expect(page.locator('[name=label]')).toHaveValue('')
    await expect(page.locator('[name=done]')).toBeChecked()
    await expect(page.locator('.htmx-request')).toHaveCount(0)

    on.wire.mend()
    await expect.poll(() => page.evaluate(() => window.rhtmxSync.pending().length)).toBe(0)
    expect(await things(page)).toContainEqual({ id: 4, ...data })
    // and it was no request of the form's own
    expect(await sent()).toEqual(['POST online'])
  })

  test(`[F6] editing and deleting offline: ${htmx}`, async ({ page }) => {
    await open(
      page,
      `<form hx-put="/form" data-rhtmx-form="things">
         <input name="id" value="3" type="hidden"><input name="label" value="lamp">
         <input type="hidden" name="done" value="0"><input type="checkbox" name="done" value="1" checked>
         <button>Save</button></form>
       <form hx-post="/form" data-rhtmx-form="things" data-rhtmx-id="3"><input name="amount" value="2"><button>Count</button></form>
       <button id="delete" hx-delete="/form" data-rhtmx-form="things" data-rhtmx-id="3">Delete</button>`,
      htmx,
    )
    await cut(page)
    await page.locator('[name=label]').fill('floor lamp')
    await page.locator('[type=checkbox]').uncheck()
    await page.getByRole('button', { name: 'Save' }).click()
    const lamp = { id: 3, label: 'floor lamp', amount: 2, done: false }
    await expect.poll(() => things(page)).toEqual([expect.objectContaining(lamp)])
    // an edited row stays in its form
    await expect(page.locator('[name=label]')).toHaveValue('floor lamp')
    await page.locator('[name=amount]').fill('7')
    await page.getByRole('button', { name: 'Count' }).click()
    await expect.poll(() => things(page)).toEqual([expect.objectContaining({ ...lamp, amount: 7 })])
    await page.locator('#delete').click()
    await expect.poll(() => things(page)).toEqual([])
    expect((await told(page, 'rhtmx:form:queued')).map(({ action }) => action)).toEqual([
      'update',
      'update',
      'delete',
    ])
    on.wire.mend()
    await expect.poll(() => page.evaluate(() => window.rhtmxSync.pending().length)).toBe(0)
    expect(await sent()).toEqual([])
  })

  test(`[F6] mode always: never a request of its own: ${htmx}`, async ({ page }) => {
    await open(page, addForm('data-rhtmx-form-mode="always"'), htmx)
    await page.locator('[name=label]').fill('stool')
    await page.keyboard.press('Enter')
    await expect.poll(() => things(page)).toContainEqual(expect.objectContaining({ id: 4, label: 'stool' }))
    expect(await sent()).toEqual([])
  })
}

for (const htmx of ['htmx1', 'htmx2', 'htmx4']) {
  test(`[F6] controls that are marked themselves, in no form and in one: ${htmx}`, async ({ page }) => {
    const control = 'hx-patch="/form" hx-trigger="change" data-rhtmx-form="things" data-rhtmx-id="3"'
    await open(
      page,
      `<input type="checkbox" name="done" checked ${control}>
       <select name="color" ${control}><option>red<option>blue</select>
       <form><input type="hidden" name="form"><input name="label" value="lamp" ${control}></form>`,
      htmx,
    )
    await cut(page)
    const row = async (data: Record<string, unknown>): Promise<void> =>
      expect.poll(() => things(page)).toEqual([expect.objectContaining(data)])
    await page.locator('[name=done]').uncheck()
    await row({ done: false })
    await page.locator('[name=color]').selectOption('blue')
    // by the keyboard: of what a program fills in, Firefox tells no change
    await page.locator('[name=label]').clear()
    await page.locator('[name=label]').pressSequentially('desk')
    await page.locator('[name=label]').blur()
    await row({ label: 'desk', color: 'blue', done: false })
    await page.locator('[name=done]').check()
    await row({ done: true })
    await page.locator('[name=done]').uncheck()
    await row({ done: false })
    expect((await told(page, 'rhtmx:form:queued')).map(({ data }) => data)).toEqual([
      { done: false },
      { color: 'blue' },
      { label: 'desk' },
      { done: true },
      { done: false },
    ])
    on.wire.mend()
    await expect.poll(() => page.evaluate(() => window.rhtmxSync.pending().length)).toBe(0)
    await row({ id: 3, label: 'desk', color: 'blue', done: false })
    expect(await sent()).toEqual([])
  })

  test(`[F6] boosted forms, questions, and impatient people: ${htmx}`, async ({ page }) => {
    page.on('dialog', dialog => void dialog.accept())
    await open(
      page,
      `<div hx-boost="true"><form action="/form" method="post" data-rhtmx-form="things">
         <input name="label" required><button>Add</button></form></div>
       <button hx-delete="/form" hx-confirm="Sure?" data-rhtmx-form="things" data-rhtmx-id="3">Delete</button>`,
      htmx,
    )
    await cut(page)
    await page.locator('[name=label]').fill('chair')
    await page.getByRole('button', { name: 'Add' }).dblclick()
    await page.getByRole('button', { name: 'Delete' }).click()
    const labels = async () => (await things(page)).map(({ label }) => label)
    await expect.poll(labels).toEqual(['chair'])
    on.wire.mend()
    await expect.poll(() => page.evaluate(() => window.rhtmxSync.pending().length)).toBe(0)
    await expect.poll(labels).toEqual(['chair'])
    expect(await sent()).toEqual([])
    expect(new URL(page.url()).pathname).toBe('/')
  })
}

test('[F4] [F6] a checkbox that is bound and marked, in two tabs, online and offline: what was clicked last', async ({
  page,
  context,
}) => {
  await sql(on.file, 'UPDATE things SET done = 0')
  const body = `<input type="checkbox" name="done" hx-patch="/form" hx-trigger="change" data-rhtmx-form="things"
    data-rhtmx-form-mode="always" data-rhtmx-id="3" data-rhtmx-bind="things:3:done">`
  const other = await context.newPage()
  for (const one of [page, other]) {
    await open(one, body)
    await home(one)
  }
  const box = page.locator('[name=done]')
  const twin = other.locator('[name=done]')
  for (let i = 0; i < 7; i += 1) await box.click()
  await expect(twin).toBeChecked()
  await twin.click()
  await expect(box).not.toBeChecked()
  await cut(page)
  await cut(other)
  await box.click()
  await expect(twin).toBeChecked()
  await twin.click()
  await expect(box).not.toBeChecked()
  await box.click()
  await expect(twin).toBeChecked()
  on.wire.mend()
  for (const one of [page, other]) {
    await expect.poll(() => one.evaluate(() => window.rhtmxSync.pending().length)).toBe(0)
    await expect(one.locator('[name=done]')).toBeChecked()
    expect(await things(one)).toEqual([expect.objectContaining({ id: 3, done: true })])
  }
  expect(await sent()).toEqual([])
})

test('[F6] a form without htmx, and one that is used before the second script is there', async ({ page }) => {
  let release = (): void => {}
  const held = new Promise<void>(resolve => (release = resolve))
  await page.route('**/lazy.*.js', async route => {
    await held
    await route.continue()
  })
  await page.addInitScript(() =>
    addEventListener('rhtmx:sync:ready', () => Object.assign(window, { synced: true })),
  )
  const body = `<form action="/form" method="post" data-rhtmx-form="things" data-rhtmx-form-mode="always">${fields}</form>`
  // a script that is held back holds back the load event
  await page.goto(`${on.wire.url}/?${new URLSearchParams({ attributes, body })}`, {
    waitUntil: 'domcontentloaded',
  })
  await page.waitForFunction(() => 'synced' in window)
  await page.locator('[name=label]').fill('early')
  await page.getByRole('button', { name: 'Second' }).click()
  release()
  await expect
    .poll(() => things(page))
    .toContainEqual(expect.objectContaining({ label: 'early', via: 'second', done: true }))
  await expect(page.locator('[name=label]')).toHaveValue('')
  expect(await sent()).toEqual([])
  expect(page.url()).not.toContain('/form')
})

test('[F7] what cannot be queued stays in the form, with the reason', async ({ page }) => {
  const errors: string[] = []
  page.on('console', message => message.type() === 'error' && errors.push(message.text()))
  await open(
    page,
    `<form id="file" hx-post="/form" hx-encoding="multipart/form-data" data-rhtmx-form="things">
       <input name="label"><input type="file" name="via"><button>Send</button></form>
     <form id="unknown" hx-post="/form" data-rhtmx-form="planets"><input name="name"><button>Add</button></form>
     <form id="nobody" hx-put="/form" data-rhtmx-form="things"><input name="color"><button>Change</button></form>`,
  )
  await cut(page)
  await page.locator('#file [name=label]').fill('with a file')
  const attached = { name: 'a.txt', mimeType: 'text/plain', buffer: Buffer.from('a') }
  await page.locator('[type=file]').setInputFiles(attached)
  await page.getByRole('button', { name: 'Send' }).click()
  await page.locator('#unknown [name=name]').fill('Mars')
  await page.getByRole('button', { name: 'Add' }).click()
  await page.locator('#nobody [name=color]').fill('green')
  await page.getByRole('button', { name: 'Change' }).click()
  await expect.poll(async () => (await told(page, 'rhtmx:form:failed')).length).toBe(3)
  await expect(page.locator('#file [name=label]')).toHaveValue('with a file')
  await expect(page.locator('#unknown [name=name]')).toHaveValue('Mars')
  await expect(page.locator('#nobody [name=color]')).toHaveValue('green')
  expect(errors.filter(line => line.includes('the form was not kept')).length).toBe(3)
  expect(await page.evaluate(() => window.rhtmxSync.pending())).toEqual([])
})

test('[F6] [F7] a page may keep its form; what the server refuses later is a dead letter', async ({
  page,
}) => {
  await open(page, addForm())
  await page.evaluate(() => {
    document.addEventListener('rhtmx:form:queued', event => event.preventDefault())
    document.querySelector('form')?.setAttribute('novalidate', '')
  })
  await cut(page)
  await page.locator('[name=color]').selectOption('blue')
  await page.getByRole('button', { name: 'First' }).click()
  await expect.poll(async () => (await told(page, 'rhtmx:form:queued')).length).toBe(1)
  await expect(page.locator('[name=color]')).toHaveValue('blue')
  on.wire.mend()
  await expect
    .poll(() => told(page, 'rhtmx:mutation:rejected'))
    .toEqual([expect.objectContaining({ entity: 'things', data: expect.objectContaining({ label: '' }) })])
  const [{ n } = { n: 0 }] = await page.evaluate(() => window.rhtmxSync.deadLetters())
  await page.evaluate(n => window.rhtmxSync.discard(n), n)
  expect(await page.evaluate(() => window.rhtmxSync.status().deadLetters)).toBe(0)
})
