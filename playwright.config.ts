import { defineConfig } from '@playwright/test'
import { settings } from './test/browser/support/settings.ts'
import { chromium } from './tools/chromium.mjs'

const { executablePath, env, args } = await chromium()
const use = { browserName: 'chromium', launchOptions: { executablePath, env, args } } as const

export default defineConfig(settings, {
  projects: [
    { name: 'chromium', use },
    {
      // what holds of the script of rows holds of that of fields: the pages of site.mjs have it under the same name
      name: 'T-F13 the script of fields',
      use: { ...use, extraHTTPHeaders: { 'x-script': 'field-client' } },
      grep: /\bT-B(0[2-9]|10|2[1-5])\b/,
      testIgnore: '**/todo-sync.spec.ts',
    },
  ],
})
