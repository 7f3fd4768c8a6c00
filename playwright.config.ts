import { defineConfig } from '@playwright/test'
import { chromium } from './tools/chromium.mjs'

const browser = await chromium()

export default defineConfig({
  testDir: 'test/browser',
  testMatch: '**/*.spec.ts',
  outputDir: 'test-results',
  workers: 2,
  fullyParallel: false,
  forbidOnly: process.env['CI'] !== undefined,
  timeout: 120_000,
  // how long something that must happen is waited for: a machine may be busy
  expect: { timeout: 30_000 },
  reporter: [['list']],
  use: { trace: 'retain-on-failure' },
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
