// The DOM events of the page: each once, on the body, from where it bubbles to document and window. Dispatched on those
// two, htmx's `from:body` would not hear it; dispatched on several, a handler would run twice.
// Neighbours on the line: the client's notifications before it, htmx and the page's listeners behind it.
import type { Change, StorageDetail } from '../client/index.ts'
import type { Json, Row } from '../core/index.ts'
import type { ConflictDetail } from './conflict-events.ts'
import type { ConnectionState } from './words.ts'

export interface StateDetail {
  readonly state: ConnectionState
  readonly oldState: ConnectionState
}

export interface ReadyDetail {
  /** Whose: of the script of rows or that of fields. */
  readonly client: 'entity' | 'field'
  readonly online: boolean
  readonly storage: string
}

/** One changed row of a `rhtmx:<entity>:changed` event. `data`: the row as it is shown now, null where it is gone. */
export interface ChangedRow {
  readonly entity: string
  readonly id: string
  readonly entity_id: string
  readonly action: Change['action']
  readonly source: Change['source']
  readonly version: number
  readonly data: Row | null
}

/** All that changed of one entity since the event before. `id`, `action` and `version` are the last change's. */
export interface ChangedDetail {
  readonly entity: string
  readonly id: string
  readonly ids: readonly string[]
  readonly action: Change['action']
  /** `rollback` where the server did not keep what was written here: it outranks the others. */
  readonly source: Change['source']
  readonly version: number
  /** Temporary ids that became real ones. */
  readonly replaced: readonly { readonly from: string; readonly to: string }[]
  /** Made when it is read. */
  readonly changes: readonly ChangedRow[]
}

export interface RejectedDetail {
  readonly entity: string
  readonly id: string
  /** The dead letter's number: `rhtmxSync.retry(n)`, `.discard(n)`. */
  readonly n: number
  readonly error: { readonly code: string; readonly message: string; readonly details?: unknown }
  readonly data: { readonly [column: string]: Json } | null
}

export interface AuthDetail {
  readonly code: number
  readonly reason: string
}

interface Details {
  'connection:state': StateDetail
  'sync:ready': ReadyDetail
  'mutation:rejected': RejectedDetail
  'auth:required': AuthDetail
  'storage:failed': StorageDetail
  'field:conflict': ConflictDetail
  [changed: `${string}:changed`]: ChangedDetail
}

export interface PageEvents {
  readonly tell: <K extends keyof Details>(type: K, detail: Details[K]) => void
}

export function pageEvents(page: Document): PageEvents {
  const dispatch = dispatcher(page)
  return { tell: (type, detail) => dispatch(`rhtmx:${type}`, detail) }
}

/** The script may run in <head>, before there is a body: what happens until then is told when the page is parsed. */
function dispatcher(page: Document): (type: string, detail: object) => void {
  let held: CustomEvent[] = []
  const flush = (): void => {
    const events = held
    held = []
    for (const event of events) page.body.dispatchEvent(event)
  }
  return (type, detail) => {
    held.push(new CustomEvent(type, { detail, bubbles: true, composed: true }))
    // reason: the DOM types leave out that there is no body while <head> is being parsed
    if ((page.body as HTMLElement | null) !== null) flush()
    else if (held.length === 1) page.addEventListener('DOMContentLoaded', flush, { once: true })
  }
}
