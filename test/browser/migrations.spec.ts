// A table that changes its shape under open pages, as a developer's tables do.
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from '@playwright/test'
import { detach } from 'syncline/sqlite'
import { sql } from './support/processes.ts'
import { told } from './support/recorder.ts'
import { freshSite } from './support/site.ts'

const on = freshSite("INSERT INTO users (id, name) VALUES (1, 'Grace')")

test('[C8] columns come, are renamed and go, and tables are made anew: pages follow, and an edit of what is gone is kept as a dead letter', async ({
  page,
}) => {
  const errors: string[] = []
  page.on('console', message => message.type() === 'error' && errors.push(message.text()))
  page.on('pageerror', error => errors.push(error.message))
  const list = '<div id="users" hx-get="/api/users" hx-trigger="load, rhtmx:users:changed from:body"></div>'
  const body = `<b data-rhtmx-bind="users:1:phone">-</b><i data-rhtmx-bind="users:1:mobile">-</i>${list}`
  await page.goto(`${on.wire.url}/?${new URLSearchParams({ body })}`)
  await page.evaluate(() => window.rhtmxSync.ready)
  const rows = () => page.evaluate(() => window.rhtmxSync.getAll('users'))

  await sql(on.file, "ALTER TABLE users ADD COLUMN phone TEXT; UPDATE users SET phone = '123'")
  await expect(page.locator('b')).toHaveText('123')
  const pushed = await page.evaluate(() =>
    window.rhtmxSync.pushChange('users', 1, 'update', { phone: '456' }),
  )
  expect(pushed).toMatchObject({ status: 'applied' })
  await sql(on.file, 'ALTER TABLE users RENAME COLUMN phone TO mobile')
  await expect(page.locator('i')).toHaveText('456')

  await page.evaluate(async () => {
    window.rhtmxSync.disconnect()
    await window.rhtmxSync.pushChange('users', 1, 'update', { email: 'grace@example.org' })
    await window.rhtmxSync.pushChange('users', null, 'create', { name: 'Alan' })
  })
  // as the guide says it; SQLite itself refuses this while triggers name the column
  const db = new DatabaseSync(on.file, { timeout: 5000 })
  db.exec('BEGIN IMMEDIATE')
  detach(db)
  db.exec('ALTER TABLE users DROP COLUMN email; COMMIT')
  db.close()
  await page.evaluate(() => window.rhtmxSync.connect())
  await expect.poll(() => page.evaluate(() => window.rhtmxSync.pending().length)).toBe(0)
  await expect.poll(rows).toEqual([
    { id: 1, name: 'Grace', mobile: '456' },
    { id: 2, name: 'Alan', mobile: null },
  ])
  const letters = await page.evaluate(() => window.rhtmxSync.deadLetters())
  expect(letters.map(({ error, writes }) => [error.code, writes[0]?.data])).toEqual([
    ['UNKNOWN_FIELD', { email: 'grace@example.org' }],
  ])
  expect(await told(page, 'rhtmx:mutation:rejected')).toHaveLength(1)

  await sql(
    on.file,
    `DROP TABLE users; CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL, nick TEXT);
     INSERT INTO users VALUES (7, 'Edsger', 'ewd')`,
  )
  await expect.poll(rows).toEqual([{ id: 7, name: 'Edsger', nick: 'ewd' }])
  await sql(on.file, "UPDATE users SET nick = 'EWD'")
  await expect.poll(rows).toEqual([{ id: 7, name: 'Edsger', nick: 'EWD' }])
  expect(errors).toEqual([])
})
