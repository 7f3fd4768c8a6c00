// What a page says of its strategy: for display only, of writes that the server has not answered yet. In the second script.
import type { ReadyDetail } from './events.ts'

/** Every spelling that the server takes: `ClientWins`, `client_wins`, `client-wins`. Null: none, or none that is known. */
export function strategyOf(
  text: string,
  kind: ReadyDetail['client'],
  complain: (message: string) => void,
): string | null {
  if (text === '') return null
  const word = text.replace(/_|\B(?=[A-Z])/g, '-').toLowerCase()
  if (/^((last-write|client|server)-wins|keep-both)$/.test(word)) return word
  complain(`data-${kind === 'field' ? kind : 'conflict'}-strategy="${text}" is unknown`)
  return null
}
