// The script of fields: its tag, its methods, conflicts on the page.
import { expect, test } from '@playwright/test'
import type { Browser, Page } from '@playwright/test'
import { closeDevices, newDevice } from './support/devices.ts'
import { sql } from './support/processes.ts'
import { record, told } from './support/recorder.ts'
import { freshSite } from './support/site.ts'

// before their server goes
test.afterEach(closeDevices)
const on = freshSite(
  "INSERT INTO people (id, name, email, notes, motto) VALUES (1, 'Ada', 'ada@old', 'old', 'old'); INSERT INTO users (id, name) VALUES (1, 'Grace')",
)

const people = { script: 'field-client', attributes: 'data-sync-entities="people"', body: '' }
const address = (query: Record<string, string> = {}): string =>
  `${on.wire.url}/?${new URLSearchParams({ ...people, ...query })}`

async function open(page: Page, query: Record<string, string> = {}): Promise<Page> {
  await page.goto(address(query))
  await page.evaluate(() => window.RHTMXFieldSync.ready)
  return page
}

/** Another person's browser. */
async function device(browser: Browser, query: Record<string, string> = {}): Promise<Page> {
  const page = await newDevice(browser, `${on.wire.url}/blank`)
  await record(page)
  return open(page, query)
}

const row = (page: Page) => page.evaluate(() => window.RHTMXFieldSync.get('people', 1))
const write = (page: Page, field: string, value: string) =>
  page.evaluate(([field, value]) => window.RHTMXFieldSync.recordFieldChange('people', '1', field, value), [
    field,
    value,
  ] as const)
const leave = (page: Page) => page.evaluate(() => window.RHTMXFieldSync.disconnect())
const back = (page: Page) => page.evaluate(() => window.RHTMXFieldSync.connect())
const settled = (page: Page) =>
  expect.poll(() => page.evaluate(() => window.RHTMXFieldSync.pending().length)).toBe(0)
const conflicts = (page: Page) => told(page, 'rhtmx:field:conflict')

test('T-F02 the script runs where it stands, under both names, and is served for good under the name of its content', async ({
  page,
  request,
}) => {
  const body = `<script>
    window.then = [RHTMXFieldSync === rhtmxFieldSync, typeof RHTMXFieldSync.recordFieldChange, RHTMXFieldSync.getAll('people').length]
  </script>`
  await open(page, { body })
  expect(await page.evaluate(() => (window as unknown as { then: unknown }).then)).toEqual([
    true,
    'function',
    0,
  ])
  expect(await page.evaluate(() => window.RHTMXFieldSync.getField('people', 1, 'email'))).toBe('ada@old')
  expect(await told(page, 'rhtmx:sync:ready')).toEqual([
    { client: 'field', online: true, storage: 'indexeddb' },
  ])
  const plain = await request.get(`${on.wire.url}/api/sync/field-client.js`)
  expect(plain.headers()).toMatchObject({ 'content-type': 'text/javascript; charset=utf-8' })
  const hash = /"(\w+)/.exec(plain.headers()['etag'] ?? '')?.[1]
  const kept = await request.get(`${on.wire.url}/api/sync/field-client.${hash}.js`)
  expect(kept.headers()['cache-control']).toContain('immutable')
  expect(await kept.text()).toBe(await plain.text())
})

test('T-F03 the attributes: entities, strategy, debug', async ({ page }) => {
  const lines: string[] = []
  page.on('console', message => lines.push(message.text()))
  await open(page, { attributes: 'data-sync-entities="people, posts" data-field-strategy="mine"' })
  expect(await page.evaluate(() => Object.keys(window.RHTMXFieldSync.status().cursors))).toEqual([
    'people',
    'posts',
    'syncline_conflicts',
  ])
  expect(lines).toEqual(['[rhtmx-sync] data-field-strategy="mine" is unknown'])
  await open(page, { attributes: 'data-sync-entities="people" data-conflicts="false" data-debug="true"' })
  expect(await page.evaluate(() => Object.keys(window.RHTMXFieldSync.status().cursors))).toEqual(['people'])
  expect(lines).toContain('[rhtmx-sync] connection: connecting → connected')
})

for (const [strategy, shown] of [
  ['last-write-wins', 'mine'],
  ['ServerWins', 'theirs'],
] as const) {
  test(`T-F03 data-field-strategy="${strategy}" says what an unsent edit shows`, async ({ page }) => {
    const attributes = `data-sync-entities="people" data-field-strategy="${strategy}"`
    await open(page, { attributes })
    // the page's frames go nowhere, the server's still come
    await page.evaluate(() => {
      WebSocket.prototype.send = () => {}
      void window.RHTMXFieldSync.recordFieldChange('people', 1, 'name', 'mine')
    })
    await sql(on.file, "UPDATE people SET name = 'theirs', email = 'new'")
    await expect
      .poll(() => told(page, 'rhtmx:people:changed'))
      .toContainEqual(expect.objectContaining({ source: 'server' }))
    expect(await page.evaluate(() => window.RHTMXFieldSync.getField('people', 1, 'name'))).toBe(shown)
  })
}

test('T-F08 [R5] a field is shown at once and sent alone; other columns keep what others wrote', async ({
  page,
}) => {
  const sent: string[] = []
  let isHeld = false
  const held: (() => void)[] = []
  await page.routeWebSocket('**/api/sync/ws', socket => {
    const far = socket.connectToServer()
    socket.onMessage(message => {
      sent.push(String(message))
      far.send(message)
    })
    far.onMessage(message => {
      if (isHeld) held.push(() => socket.send(message))
      else socket.send(message)
    })
  })
  await open(page)
  isHeld = true
  sent.length = 0
  const now = await page.evaluate(() => {
    Object.assign(window, { done: window.RHTMXFieldSync.recordFieldChange('people', '1', 'name', 'Alice') })
    return window.RHTMXFieldSync.getField('people', '1', 'name')
  })
  expect(now).toBe('Alice')
  await expect.poll(() => held.length).toBeGreaterThan(0)
  const frames = sent.map(text => JSON.parse(text) as { type: string; mutations?: { writes: object[] }[] })
  const writes = frames.flatMap(({ mutations = [] }) => mutations).flatMap(mutation => mutation.writes)
  expect(writes).toEqual([
    { entity: 'people', id: '1', action: 'update', data: { name: 'Alice' }, was: { name: 'Ada' } },
  ])
  await sql(on.file, "UPDATE people SET email = 'ada@new'")
  isHeld = false
  for (const release of held) release()
  const result = await page.evaluate(() => (window as unknown as { done: Promise<unknown> }).done)
  expect(result).toMatchObject({ status: 'applied', entity: 'people', id: '1' })
  await expect.poll(() => row(page)).toMatchObject({ name: 'Alice', email: 'ada@new', notes: 'old' })
  // the other actions: a field of a new row, an emptied field, and the row itself
  await page.evaluate(async () => {
    const sync = window.RHTMXFieldSync
    await sync.recordFieldChange('people', 7, 'name', 'Grace', 'create')
    await sync.recordFieldChange('people', 1, 'email', 'ignored', 'delete')
    await sync.recordFieldChange('people', 7, null, null, 'delete')
  })
  await expect.poll(() => row(page)).toMatchObject({ name: 'Alice', email: null })
  expect(await page.evaluate(() => window.RHTMXFieldSync.get('people', 7))).toBeUndefined()
})

test('T-F09 [D7] two people offline edit name and email of one row: both survive, and it is no conflict', async ({
  page,
  browser,
}) => {
  const [ada, ben] = [await open(page), await device(browser)]
  for (const one of [ada, ben]) await leave(one)
  expect(await write(ada, 'name', 'Ada L.')).toMatchObject({ status: 'queued' })
  await write(ben, 'email', 'ada@new')
  for (const one of [ada, ben]) await back(one)
  for (const one of [ada, ben]) {
    await settled(one)
    await expect.poll(() => row(one)).toMatchObject({ name: 'Ada L.', email: 'ada@new' })
    expect(await conflicts(one)).toEqual([])
    expect(await one.evaluate(() => window.RHTMXFieldSync.conflicts.list())).toEqual([])
  }
})

test('[F13] T-F11 [I1] [I4] keep-both: the server’s value stays, both hear of both on every target, and the choice wins', async ({
  page,
  browser,
}) => {
  const [ada, ben] = [await open(page), await device(browser)]
  await leave(ada)
  await write(ada, 'notes', 'from Ada')
  await write(ben, 'notes', 'from Ben')
  expect(await conflicts(ben)).toEqual([])
  await back(ada)
  for (const one of [ada, ben]) {
    await expect.poll(() => conflicts(one)).toHaveLength(1)
    for (const target of ['window', 'document', 'body'] as const)
      expect(await told(one, 'rhtmx:field:conflict', target)).toEqual([
        expect.objectContaining({
          entity: 'people',
          entity_id: '1',
          field: 'notes',
          base: 'old',
          server_value: 'from Ben',
          client_value: 'from Ada',
          server_timestamp: expect.stringMatching(/^\d{4}-.*Z$/),
          client_timestamp: expect.stringMatching(/^\d{4}-.*Z$/),
          outcome: 'keep-both',
        }),
      ])
    await expect.poll(() => row(one)).toMatchObject({ notes: 'from Ben' })
  }
  // typing on without having seen it: the newer value takes the record's place, and is told
  await leave(ben)
  await write(ada, 'notes', 'seen, and written over')
  await settled(ada)
  await write(ben, 'notes', 'from Ben again')
  await back(ben)
  await expect
    .poll(async () => (await conflicts(ben)).at(-1))
    .toMatchObject({
      client_value: 'from Ben again',
      server_value: 'seen, and written over',
    })
  // a page that is opened now is told of what is open; one of the two settles it there
  await ben.reload()
  await ben.evaluate(() => window.RHTMXFieldSync.ready)
  await expect.poll(() => conflicts(ben)).toHaveLength(2)
  await ben.evaluate(async () => {
    const [open, ...more] = window.RHTMXFieldSync.conflicts.list()
    for (const one of more) await one.keepTheirs().confirmed
    await open?.resolve('both, merged').confirmed
  })
  for (const one of [ada, ben]) {
    await expect.poll(() => row(one)).toMatchObject({ notes: 'both, merged' })
    await expect.poll(() => one.evaluate(() => window.RHTMXFieldSync.conflicts.list().length)).toBe(0)
  }
})

test('T-F11 what the event carries settles it: keepMine, keepTheirs', async ({ page, browser }) => {
  const [ada, ben] = [await open(page), await device(browser)]
  const lose = async (text: string) => {
    await leave(ada)
    await write(ada, 'notes', text)
    await write(ben, 'notes', `before ${text}`)
    await back(ada)
  }
  const choose = (method: 'keepMine' | 'keepTheirs') =>
    ada.evaluate(
      name =>
        new Promise<void>(resolve => {
          const settle = (event: WindowEventMap['rhtmx:field:conflict']): void => {
            void event.detail[name]().confirmed.then(() => resolve())
          }
          addEventListener('rhtmx:field:conflict', settle, { once: true })
        }),
      method,
    )
  let chosen = choose('keepMine')
  await lose('A')
  await chosen
  await expect.poll(() => row(ben)).toMatchObject({ notes: 'A' })
  chosen = choose('keepTheirs')
  await lose('B')
  await chosen
  for (const one of [ada, ben]) await expect.poll(() => row(one)).toMatchObject({ notes: 'before B' })
})
