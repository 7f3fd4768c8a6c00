// A real Chromium with a profile on disk, fresh for each sample: what it stores it stores for good.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { chromium } from 'playwright'
import { chromium as installed } from '../tools/chromium.mjs'

const { executablePath, env, args } = await installed()

export async function openBrowser() {
  const folder = mkdtempSync(path.join(tmpdir(), 'syncline-profile-'))
  const context = await chromium.launchPersistentContext(folder, { executablePath, env, args })
  return {
    context,
    async close() {
      await context.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
