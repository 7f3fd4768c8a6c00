// What a page was told, in the order in which it was told, from its very first event on.
import type { Page } from '@playwright/test'

// Declares `window.rhtmxSync` and the events for all tests.
export type { RhtmxSync } from 'syncline/rhtmx'

export interface Told {
  readonly type: string
  readonly on: 'window' | 'document' | 'body'
  readonly detail: Readonly<Record<string, unknown>>
}

declare global {
  interface Window {
    told: Told[]
  }
}

const types = [
  'rhtmx:connection:state',
  'rhtmx:sync:ready',
  'rhtmx:users:changed',
  'rhtmx:todos:changed',
  'rhtmx:people:changed',
  'rhtmx:field:conflict',
  'rhtmx:fixed:changed',
  'rhtmx:mutation:rejected',
  'rhtmx:auth:required',
  'rhtmx:storage:failed',
  'rhtmx:form:queued',
  'rhtmx:form:failed',
]

/** Runs in the page, before its scripts. */
function listenTo(names: readonly string[]): void {
  window.told = []
  const listen = (target: EventTarget, on: Told['on']): void => {
    for (const type of names) {
      target.addEventListener(type, event => {
        // reason: the events are ours
        const { detail } = event as CustomEvent
        window.told.push({ type, on, detail: JSON.parse(JSON.stringify(detail)) as Told['detail'] })
      })
    }
  }
  listen(window, 'window')
  listen(document, 'document')
  document.addEventListener('DOMContentLoaded', () => listen(document.body, 'body'))
}

/** Call before the page is opened. */
export async function record(page: Page): Promise<void> {
  await page.addInitScript(listenTo, types)
}

/** The same as text, for a page of site.mjs in a browser that runs nothing before a page's own scripts. */
export const recording = `(${String(listenTo)})(${JSON.stringify(types)})`

export function told(page: Page, type: string, on: Told['on'] = 'window'): Promise<Told['detail'][]> {
  return page.evaluate(
    ([type, on]) => window.told.filter(one => one.type === type && one.on === on).map(one => one.detail),
    [type, on] as const,
  )
}
