// `data-auto-refresh="true"`: what shows an entity is fetched again when it has changed, with no word about us in the
// templates. In the second script. Neighbours on the line: `events` before it, htmx behind it.
import type { Lent } from './lazy.ts'

/** As much of htmx 1, 2 and 4 as they have in common. */
interface Htmx {
  ajax(verb: string, path: string, context: { source: Element }): unknown
}

declare global {
  interface Window {
    readonly htmx?: Htmx
  }
}

/** `changed`: what has changed already, and who shows it was not told. */
export function autoRefresh({ page }: Lent, entities: readonly string[], changed: ReadonlySet<string>): void {
  for (const entity of entities) {
    const refresh = (): void => {
      for (const element of page.querySelectorAll('[hx-get],[data-hx-get]')) {
        const path = attribute(element, 'get') ?? ''
        if (namesEntity(path, entity) && showsByItself(element))
          window.htmx?.ajax('GET', path, { source: element })
      }
    }
    page.addEventListener(`rhtmx:${entity}:changed`, refresh)
    if (changed.has(entity)) refresh()
  }
}

export function namesEntity(path: string, entity: string): boolean {
  return (
    path
      .replace(/[?#].*|\/+(?=[?#]|$)/g, '')
      .split('/')
      .at(-1) === entity
  )
}

/** What waits for its user is left to its user, and what has our event among its triggers has it already. */
function showsByItself(element: Element): boolean {
  const trigger = attribute(element, 'trigger')
  if (attribute(element, 'push-url') ?? attribute(element, 'replace-url')) return false
  if (trigger === null) return !element.matches('a,button,input,select,textarea,form')
  return /\b(load|every)\b/.test(trigger) && !trigger.includes('rhtmx:')
}

function attribute(element: Element, name: string): string | null {
  return element.getAttribute(`hx-${name}`) ?? element.getAttribute(`data-hx-${name}`)
}
