// `data-rhtmx-bind="users:1:name"`: the text or value of an element is that of the copy on this device, at once and
// whatever htmx swaps in. Never HTML, and never over what somebody has typed. In the second script.
// Neighbours on the line: the client's live views before it, the screen behind it.
import type { Json } from '../core/index.ts'
import type { Lent } from './lazy.ts'

type Control = HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement

/** The result is told which entities there are. */
export function bindElements({ client, page }: Lent): (entities: readonly string[]) => void {
  /** What a control showed when it was last right: anything else in it was typed. */
  let shown = new WeakMap<Control, string | boolean>()

  const paint = (): void => {
    for (const element of page.querySelectorAll<HTMLElement>('[data-rhtmx-bind]')) {
      const place = /^([^:]+):(.+):([^:]+)$/.exec(element.dataset['rhtmxBind'] ?? '')
      // none, as of a row that has no id yet
      if (place === null) continue
      const [, entity = '', id = '', column = ''] = place
      const value = client.get(entity, id)?.[column]
      // what is not here says nothing about what the server has rendered
      if (value === undefined) continue
      if (element.matches('input,textarea,select')) fill(element as Control, value) // reason: as the selector says
      else if (element !== page.activeElement && element.textContent !== textOf(value))
        element.textContent = textOf(value)
    }
  }

  const fill = (control: Control, value: Json): void => {
    const { type } = control
    if (type === 'file') return
    const text = textOf(value)
    if (control instanceof HTMLInputElement && /^(checkbox|radio)$/.test(type)) {
      const next = type === 'radio' ? control.value === text : !/^(|0|false)$/.test(text)
      if (control.checked === next || control.checked === (shown.get(control) ?? control.defaultChecked))
        shown.set(control, (control.checked = next))
      return
    }
    const before = shown.get(control) ?? ('defaultValue' in control ? control.defaultValue : control.value)
    const typed = control.value !== before || control === page.activeElement
    if (control.value !== text && !typed) control.value = text
    // read back: not every control takes every text
    if (control.value === text || !typed) shown.set(control, control.value)
  }

  const later = (): unknown => setTimeout(paint)
  // before the next frame: what htmx swapped in may be older than the copy here
  new MutationObserver(paint).observe(page, {
    attributeFilter: ['data-rhtmx-bind'],
    characterData: true,
    childList: true,
    subtree: true,
  })
  page.addEventListener('focusout', later)
  page.addEventListener('reset', () => {
    shown = new WeakMap()
    later()
  })
  return entities => {
    for (const entity of entities) client.subscribe(entity, paint)
    paint()
  }
}

function textOf(value: Json): string {
  return value === null ? '' : typeof value === 'object' ? JSON.stringify(value) : String(value)
}
