// The elements that a page has marked with `data-rhtmx-form`: decides which of their requests are kept from the network.
// What becomes of those is `forms`, in the second script. Neighbours: htmx and the browser before it, `forms` behind it.
import type { BareClient as Client } from '../client/index.ts'

/** The last chance to hold a request of htmx 1 and 2, of htmx 4, and of a form without htmx. */
const requests = ['htmx:beforeRequest', 'htmx:before:request', 'submit']

export function watchForms(page: Document, client: Client, keep: (event: Event) => void): void {
  const take = (event: Event): void => {
    // reason: they happen to elements, or to the document where those are gone
    const { rhtmxForm, rhtmxFormMode } = (event.target as Partial<HTMLElement>).dataset ?? {}
    // htmx prevents the submission of its own forms, and then asks whether it may send the request
    if (rhtmxForm === undefined || event.defaultPrevented) return
    if (client.online && rhtmxFormMode !== 'always') return
    event.preventDefault()
    keep(event)
  }
  for (const type of requests) page.addEventListener(type, take)
}
