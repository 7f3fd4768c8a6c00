// The script of fields beside that of rows: on one page, and in the tabs of one browser.
import { expect, test } from '@playwright/test'
import type { BrowserContext, Page } from '@playwright/test'
import { counted } from './support/counted.ts'
import { sql } from './support/processes.ts'
import { told } from './support/recorder.ts'
import { freshSite } from './support/site.ts'

const on = freshSite(
  "INSERT INTO people (id, name, email) VALUES (1, 'Ada', 'ada@old'); INSERT INTO users (id, name) VALUES (1, 'Grace'); INSERT INTO posts (id, title) VALUES (1, 'first')",
)

const address = (query: Record<string, string>): string =>
  `${on.wire.url}/?${new URLSearchParams({ attributes: 'data-sync-entities="people"', body: '', ...query })}`

async function open(page: Page): Promise<Page> {
  await page.goto(address({ script: 'field-client' }))
  await page.evaluate(() => window.RHTMXFieldSync.ready)
  return page
}

const row = (page: Page) => page.evaluate(() => window.RHTMXFieldSync.get('people', 1))
const settled = (page: Page) =>
  expect.poll(() => page.evaluate(() => window.RHTMXFieldSync.pending().length)).toBe(0)

test.describe('[F12] both scripts on one page', () => {
  const both = (first: string, second: string): Record<string, string> => {
    const names: Record<string, string> = { client: 'users,people', 'field-client': 'people,posts' }
    return {
      script: first,
      attributes: `data-sync-entities="${names[first]}"`,
      body: `<script src="/api/sync/${second}.js" data-sync-entities="${names[second]}"></script>
        <b data-rhtmx-bind="people:1:name"></b><i data-rhtmx-bind="posts:1:title"></i><u data-rhtmx-bind="users:1:name"></u>`,
    }
  }
  for (const [first, second] of [
    ['client', 'field-client'],
    ['field-client', 'client'],
  ] as const) {
    test(`K44 K69 ${first} first: one socket, one copy, one queue; each is ready once, everything else is told once`, async ({
      page,
    }) => {
      await page.goto(address(both(first, second)))
      await page.evaluate(() => Promise.all([window.rhtmxSync.ready, window.RHTMXFieldSync.ready]))
      const told0 = await told(page, 'rhtmx:sync:ready')
      expect(new Set(told0.map(({ client }) => client))).toEqual(new Set(['entity', 'field']))
      expect(await counted(on.server)).toMatchObject({ open: 1, opened: 1 })
      expect((await told(page, 'rhtmx:connection:state')).map(({ state }) => state)).toEqual([
        'connecting',
        'connected',
      ])
      // a first copy is no change
      for (const entity of ['users', 'people'])
        expect(await told(page, `rhtmx:${entity}:changed`)).toEqual([])
      await expect(page.locator('b, i, u')).toHaveText(['Ada', 'first', 'Grace'])
      await sql(on.file, "UPDATE posts SET title = 'second'; UPDATE users SET name = 'Alan'")
      await expect(page.locator('b, i, u')).toHaveText(['Ada', 'second', 'Alan'])
      expect(await told(page, 'rhtmx:users:changed')).toHaveLength(1)
      const seen = await page.evaluate(async () => {
        const [rows, fields] = [window.rhtmxSync, window.RHTMXFieldSync]
        rows.disconnect()
        await rows.pushChange('people', 1, 'update', { name: 'by row' })
        await fields.recordFieldChange('people', 1, 'email', 'by@field')
        await fields.recordFieldChange('posts', 1, 'title', 'third')
        return [rows.client === fields.client, rows.pending().length, fields.pending().length]
      })
      expect(seen).toEqual([true, 3, 3])
      expect((await indexedDBs(page)).length).toBe(1)
      await page.evaluate(() => window.RHTMXFieldSync.connect())
      await settled(page)
      await expect.poll(() => row(page)).toMatchObject({ name: 'by row', email: 'by@field' })
      expect((await counted(on.server)).open).toBe(1)
      expect(await told(page, 'rhtmx:sync:ready')).toHaveLength(2)
    })
  }

  test('[F9] either of them twice changes nothing, and both may begin from a program', async ({ page }) => {
    await page.goto(`${on.wire.url}/blank`)
    const same = await page.evaluate(async () => {
      const load = (address: string): Promise<unknown> => import(address)
      await load('/api/sync/field-client.js')
      const fields = window.RHTMXFieldSync.init({ syncEntities: 'people' })
      await load('/api/sync/client.js')
      const rows = window.rhtmxSync.init({ syncEntities: ['users'] })
      await load('/api/sync/field-client.js?again')
      await load('/api/sync/client.js?again')
      await Promise.all([fields.ready, rows.ready])
      return [
        fields === window.RHTMXFieldSync,
        fields === window.rhtmxFieldSync.init({ syncEntities: 'posts' }),
        rows === window.rhtmxSync,
        rows.client === fields.client,
        rows.get('users', 1)?.['name'],
      ]
    })
    expect(same).toEqual([true, true, true, true, 'Grace'])
    expect((await counted(on.server)).opened).toBe(1)
  })

  test('[T1] in a tab that follows: the leader asks for what the second script names', async ({
    context,
    page,
  }) => {
    await open(page)
    const second = await context.newPage()
    await second.goto(address(both('client', 'field-client')))
    await second.evaluate(() => Promise.all([window.rhtmxSync.ready, window.RHTMXFieldSync.ready]))
    await expect(second.locator('b, i, u')).toHaveText(['Ada', 'first', 'Grace'])
    await sql(on.file, "UPDATE posts SET title = 'second'")
    await expect(second.locator('i')).toHaveText('second')
    expect(await counted(on.server)).toMatchObject({ open: 1, opened: 1 })
  })
})

const indexedDBs = (page: Page) =>
  page.evaluate(async () => (await indexedDB.databases()).map(({ name }) => name))

interface Heard {
  readonly type: string
  readonly [key: string]: unknown
}

/** A page of the same origin that is no client and counts what is posted. */
async function spy(context: BrowserContext): Promise<() => Promise<Heard[]>> {
  const page = await context.newPage()
  await page.goto(`${on.wire.url}/blank`)
  await page.evaluate(() => {
    const heard: unknown[] = []
    Object.assign(window, { heard })
    new BroadcastChannel('syncline:syncline-anon').addEventListener('message', ({ data }) => heard.push(data))
  })
  return () => page.evaluate(() => (window as unknown as { heard: Heard[] }).heard.splice(0))
}

test('[T7] T-F14 tabs of fields say field_change and optimistic_field, and understand the others', async ({
  context,
  page,
}) => {
  const fields = await open(page)
  const rows = await context.newPage()
  await rows.goto(address({ script: 'client' }))
  await rows.evaluate(() => window.rhtmxSync.ready)
  const names = async () => [
    await fields.evaluate(() => window.RHTMXFieldSync.getField('people', 1, 'name')),
    await rows.evaluate(() => window.rhtmxSync.get('people', 1)?.['name']),
  ]
  const heard = await spy(context)
  expect(await fields.evaluate(() => window.RHTMXFieldSync.status().leader)).toBe(true)

  await sql(on.file, "UPDATE people SET name = 'by SQL'")
  await expect.poll(names).toEqual(['by SQL', 'by SQL'])
  expect((await heard()).filter(({ type }) => /change/.test(type))).toEqual([
    expect.objectContaining({
      type: 'field_change',
      change: {
        entity: 'people',
        id: '1',
        entity_id: '1',
        field: 'name',
        value: 'by SQL',
        action: 'update',
        version: expect.any(Number),
        fields: { name: 'by SQL' },
      },
    }),
  ])

  await fields.evaluate(() => window.RHTMXFieldSync.recordFieldChange('people', '1', 'name', 'by field'))
  await expect.poll(names).toEqual(['by field', 'by field'])
  const own = await heard()
  expect(own.filter(({ type }) => /optimistic/.test(type))).toEqual([
    expect.objectContaining({
      type: 'optimistic_field',
      entity: 'people',
      entityId: '1',
      field: 'name',
      value: 'by field',
    }),
  ])
  // and what the server said of it, field by field too
  await expect
    .poll(async () => [...own, ...(await heard())].find(({ type }) => type === 'field_change'))
    .toMatchObject({ change: { field: 'name', value: 'by field' } })

  await rows.evaluate(() => window.rhtmxSync.pushChange('people', 1, 'update', { name: 'by row' }))
  await expect.poll(names).toEqual(['by row', 'by row'])
  expect((await heard()).filter(({ type }) => /optimistic/.test(type))).toEqual([
    expect.objectContaining({ type: 'optimistic', entity: 'people', entityId: '1' }),
  ])

  // the tab of rows leads on
  await fields.close()
  await expect.poll(() => rows.evaluate(() => window.rhtmxSync.status().leader)).toBe(true)
  const third = await open(await context.newPage())
  await heard()
  await sql(on.file, "UPDATE people SET name = 'again by SQL'")
  await expect
    .poll(() => third.evaluate(() => window.RHTMXFieldSync.getField('people', 1, 'name')))
    .toBe('again by SQL')
  expect((await heard()).map(({ type }) => type)).toContain('change')
})
