import { defineConfig } from '@playwright/test'
import { settings } from './test/browser/support/settings.ts'
import { chromium } from './tools/chromium.mjs'

const browser = await chromium()

export default defineConfig(settings, {
  projects: [
    {
      name: 'chromium',
      use: {
        browserName: 'chromium',
        launchOptions: { executablePath: browser.executablePath, env: browser.env, args: browser.args },
      },
    },
  ],
})
