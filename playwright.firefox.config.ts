import { defineConfig } from '@playwright/test'
import { settings } from './test/browser/support/settings.ts'
import { firefox } from './tools/firefox.mjs'

const browser = firefox()

// Playwright drives an unpatched Firefox by WebDriver BiDi, which knows none of these.
const none = { colorScheme: null, reducedMotion: null, forcedColors: null, contrast: null }

export default defineConfig(settings, {
  // crashes, freezes and quotas are made by Chromium's own protocol
  grepInvert: /@chromium/,
  projects: [
    {
      name: 'firefox',
      use: {
        browserName: 'firefox',
        channel: 'moz-firefox',
        launchOptions: { executablePath: browser.executablePath },
        ...none,
      },
    },
  ],
})
