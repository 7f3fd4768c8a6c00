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

/** The events but for `rhtmx:<entity>:changed`, which is gathered. */
interface Details {
  'connection:state': StateDetail
  'sync:ready': ReadyDetail
  'mutation:rejected': RejectedDetail
  'auth:required': AuthDetail
  'storage:failed': StorageDetail
  'field:conflict': ConflictDetail
}

export interface PageEvents {
  readonly tell: <K extends keyof Details>(type: K, detail: Details[K]) => void
  changed(change: Change): void
}

/** The first change of an entity is announced at once, those within this many milliseconds after it together. */
const gatherMs = 50
/** While many rows change without a pause, the time between two events grows up to this. */
const slowestMs = 1000

export function pageEvents(
  page: Document,
  row: (entity: string, id: string) => Row | null,
  after: (ms: number, run: () => void) => void,
  saveData = false,
): PageEvents {
  // each event may make the page fetch
  const least = saveData ? slowestMs : gatherMs
  const dispatch = dispatcher(page)
  const gathering = new Map<string, Change[]>()

  const announce = (entity: string, wait: number): void => {
    const changes = gathering.get(entity) ?? []
    const last = changes.at(-1)
    if (last === undefined) return void gathering.delete(entity)
    gathering.set(entity, [])
    const detail = changedDetail(changes, last, row)
    const next = detail.ids.length > 1 ? Math.min(wait * 1.5, slowestMs) : least
    after(next, () => announce(entity, next))
    dispatch(`rhtmx:${entity}:changed`, detail)
  }

  return {
    tell: (type, detail) => dispatch(`rhtmx:${type}`, detail),
    changed(change) {
      const { entity } = change
      const waiting = gathering.get(entity)
      if (waiting !== undefined) return void waiting.push(change)
      gathering.set(entity, [change])
      // creates, updates and deletes of one batch come one after the other, and are one event
      queueMicrotask(() => announce(entity, least))
    },
  }
}

function changedDetail(
  changes: readonly Change[],
  { entity, ids, action, source, version }: Change,
  row: (entity: string, id: string) => Row | null,
): ChangedDetail {
  return {
    entity,
    // reason: a change without an id is none
    id: ids.at(-1) as string,
    ids: [...new Set(changes.flatMap(change => change.ids))],
    action,
    source: changes.some(change => change.source === 'rollback') ? 'rollback' : source,
    version,
    replaced: changes.flatMap(change => change.replaced ?? []),
    get changes() {
      return changes.flatMap(({ ids, action, source, version }) =>
        ids.map(id => ({ entity, id, entity_id: id, action, source, version, data: row(entity, id) })),
      )
    },
  }
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
