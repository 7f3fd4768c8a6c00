// What most pages of these tests stand on: a server of its own for each test, and a wire to it that can be cut and frozen.
import path from 'node:path'
import { test } from '@playwright/test'
import { site, sql } from './processes.ts'
import type { Server } from './processes.ts'
import { Wire } from './proxy.ts'
import { record } from './recorder.ts'

export interface Site {
  server: Server
  wire: Wire
  /** The database of the server. */
  file: string
}

/** The pages have the script of fields, under the name of the other one. */
export const isByField = (): boolean => test.info().project.name.includes('fields')

/** Filled before each test of the file that calls it; `rows` are there then, and the page notes its events. */
export function freshSite(rows: string): Site {
  // reason: no test sees it before it is filled
  const made = {} as Site
  test.beforeEach(async ({ page }) => {
    made.server = await site().start()
    made.wire = await Wire.to(made.server.port)
    made.file = path.join(made.server.folder, 'app.db')
    await sql(made.file, rows)
    await record(page)
  })
  test.afterEach(async () => {
    await made.wire.close()
    await made.server.dispose()
  })
  return made
}
