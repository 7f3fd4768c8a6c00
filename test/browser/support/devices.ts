// Browsers of people, each a context of its own. Who opens one calls `closeDevices` after each test.
import type { Browser, BrowserContext, Page } from '@playwright/test'

const contexts: BrowserContext[] = []

/** A window of a browser of its own, at `url`: another device, or another person. An error of the page fails the test. */
export async function newDevice(browser: Browser, url: string): Promise<Page> {
  const context = await browser.newContext()
  contexts.push(context)
  const page = await context.newPage()
  page.on('pageerror', error => {
    throw error
  })
  await page.goto(url)
  return page
}

export async function closeDevices(): Promise<void> {
  await Promise.all(contexts.splice(0).map(context => context.close()))
}
