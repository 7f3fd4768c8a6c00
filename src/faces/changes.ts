// `rhtmx:<entity>:changed`, gathered: however much changes, a page is not told more often than it can fetch. In the second
// script; what changes before it is there is told then.
// Neighbours on the line: the client's notifications before it, `events` behind it.
import type { Change } from '../client/index.ts'
import type { Row } from '../core/index.ts'
import type { ChangedDetail, PageEvents } from './events.ts'

/** The first change of an entity is announced at once, those within this many milliseconds after it together. */
const gatherMs = 50
/** While many rows change without a pause, the time between two events grows up to this. */
const slowestMs = 1000

/** The result takes the changes as they come. */
export function changeEvents(
  tell: PageEvents['tell'],
  row: (entity: string, id: string) => Row | null,
  after: (ms: number, run: () => void) => void,
  saveData = false,
): (change: Change) => void {
  // each event may make the page fetch
  const least = saveData ? slowestMs : gatherMs
  const gathering = new Map<string, Change[]>()

  const announce = (entity: string, wait: number): void => {
    const changes = gathering.get(entity) ?? []
    const last = changes.at(-1)
    if (last === undefined) return void gathering.delete(entity)
    gathering.set(entity, [])
    const detail = changedDetail(changes, last, row)
    const next = detail.ids.length > 1 ? Math.min(wait * 1.5, slowestMs) : least
    after(next, () => announce(entity, next))
    tell(`${entity}:changed`, detail)
  }

  return change => {
    const { entity } = change
    const waiting = gathering.get(entity)
    if (waiting !== undefined) return void waiting.push(change)
    gathering.set(entity, [change])
    // creates, updates and deletes of one batch come one after the other, and are one event
    queueMicrotask(() => announce(entity, least))
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
