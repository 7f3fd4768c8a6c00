// What the browser tests want of Playwright in whatever browser they run.
import path from 'node:path'
import type { PlaywrightTestConfig } from '@playwright/test'

const root = path.resolve(import.meta.dirname, '../../..')

export const settings: PlaywrightTestConfig = {
  testDir: path.join(root, 'test/browser'),
  testMatch: '**/*.spec.ts',
  outputDir: path.join(root, 'test-results'),
  workers: 2,
  fullyParallel: false,
  forbidOnly: process.env['CI'] !== undefined,
  timeout: 120_000,
  // how long something that must happen is waited for: a machine may be busy
  expect: { timeout: 30_000 },
  reporter: [['list']],
  use: { trace: 'retain-on-failure' },
}
