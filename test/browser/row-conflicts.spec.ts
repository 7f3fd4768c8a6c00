// What the script of rows says of values that did not survive.
import { expect, test } from '@playwright/test'
import { sql } from './support/processes.ts'
import { told } from './support/recorder.ts'
import { freshSite } from './support/site.ts'

const on = freshSite("INSERT INTO users (id, name) VALUES (1, 'Grace')")

test('[I1] [I4] the script of rows tells of what was lost, and settles it, where the records are among its tables', async ({
  page,
}) => {
  const attributes = 'data-sync-entities="users, syncline_conflicts"'
  await page.goto(`${on.wire.url}/?${new URLSearchParams({ attributes })}`)
  await page.evaluate(() => window.rhtmxSync.ready)
  on.wire.cut()
  await expect.poll(() => page.evaluate(() => window.rhtmxSync.isOnline)).toBe(false)
  await page.evaluate(() => window.rhtmxSync.pushChange('users', 1, 'update', { name: 'Ada' }))
  await sql(on.file, "UPDATE users SET name = 'Alan'")
  await page.evaluate(() =>
    addEventListener('rhtmx:field:conflict', ({ detail }) => void Object.assign(window, { detail })),
  )
  on.wire.mend()
  await expect
    .poll(() => told(page, 'rhtmx:field:conflict'))
    .toMatchObject([
      { entity: 'users', entity_id: '1', field: 'name', server_value: 'Alan', client_value: 'Ada' },
    ])
  await page.evaluate(() => {
    // reason: put there above
    const { detail } = window as unknown as { detail: { keepMine(): void } }
    detail.keepMine()
  })
  await expect(page.locator('#users p')).toHaveText('Ada')
})
