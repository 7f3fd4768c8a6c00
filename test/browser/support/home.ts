// A page that has its second script, and with it all that it does later than being ready: disk, tabs, forms.
import { expect } from '@playwright/test'
import type { Frame, Page } from '@playwright/test'

export const home = (page: Page | Frame) =>
  expect.poll(() => page.evaluate(() => 'rhtmxLazy' in window)).toBe(true)
