// Ends and pauses of a tab that no script of it is told of.
import type { CDPSession, Page } from '@playwright/test'

/** Ends a tab as if its process had died: no event, no farewell. */
export async function crash(page: Page): Promise<void> {
  const session = await page.context().newCDPSession(page)
  const crashed = page.waitForEvent('crash')
  // the session dies with the page, and does not answer
  session.send('Page.crash').catch(() => {})
  await crashed
}

/** Nothing runs in the page any more, no timer and no message, until `thaw`. Its socket and its lock stay. */
export async function freeze(page: Page): Promise<CDPSession> {
  const session = await page.context().newCDPSession(page)
  const paused = new Promise(resolve => session.once('Debugger.paused', resolve))
  await session.send('Debugger.enable')
  session.send('Runtime.evaluate', { expression: 'debugger' }).catch(() => {})
  await paused
  return session
}

export const thaw = (session: CDPSession) => session.send('Debugger.disable')
