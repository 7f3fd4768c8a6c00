// With `data-debug`: says when what the page does about an event causes the next one. In the second script.
// Neighbours on the line: `events` before it, the console behind it.
import type { Lent } from './lazy.ts'

/** More events than ten per second, for this long: somebody writes because of them. */
const watchMs = 2000

export function watchLoops(lent: Lent, entities: readonly string[]): void {
  const { page } = lent
  for (const entity of entities) {
    const type = `rhtmx:${entity}:changed`
    let seen = 0
    page.addEventListener(type, () => {
      seen += 1
      if (seen === 1) setTimeout(() => (seen = 0), watchMs)
      if (seen * 100 === watchMs + 100)
        lent.log(`${type} again and again: does what it makes the page fetch write to ${entity}?`)
    })
  }
}
