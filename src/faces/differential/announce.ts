// Turns what the client changed into the documented events, in the documented order: the deltas, then each field, each
// delta processed, all of them, and each type's state. Neighbours on the line: the client's `changed` before it.
import type { Delta, Json, VectorClock } from '../../core/index.ts'
import { sameJson } from '../../core/index.ts'
import type { Change } from '../../client/index.ts'
import type { Emitter } from './emitter.ts'
import type { DifferentialEvents, Origin } from './events.ts'
import type { Applied, LocalStates, RowChange } from './local.ts'
import type { OpenRequest } from './requests.ts'

export interface AnnounceHost {
  clockOf(entityType: string): VectorClock
  /** The request that is being answered; none while its answer is still to come, and what comes is live. */
  request(entityType: string): OpenRequest | undefined
  /** Tells of an answer that did not come as one: the deltas are what it changed. */
  respond(request: OpenRequest, deltas: readonly Delta[]): void
}

interface Group {
  readonly entityType: string
  readonly source: Origin
  readonly ids: string[]
}

const origins: Readonly<Record<Change['source'], Origin>> = {
  local: 'local',
  server: 'remote',
  tab: 'remote',
  rollback: 'rollback',
}

export class Announcer {
  readonly #locals: LocalStates
  readonly #events: Emitter<DifferentialEvents>
  readonly #host: AnnounceHost
  #groups: Group[] = []

  constructor(locals: LocalStates, events: Emitter<DifferentialEvents>, host: AnnounceHost) {
    this.#locals = locals
    this.#events = events
    this.#host = host
  }

  /** What one batch changed is told together, when all of it is there. */
  note({ entity: entityType, ids, source: from, replaced = [] }: Change): void {
    const source = origins[from]
    if (this.#groups.length === 0) queueMicrotask(() => this.flush())
    const all = [...replaced.map(({ from: old }) => old), ...ids]
    const known = this.#groups.find(group => group.entityType === entityType && group.source === source)
    if (known === undefined) this.#groups.push({ entityType, source, ids: all })
    else known.ids.push(...all)
  }

  flush(): void {
    const groups = this.#groups
    this.#groups = []
    const told = groups.map(group => ({ group, applied: this.#apply(group) }))
    const deltas = told.flatMap(({ group, applied }) => this.#deltas(group, applied))
    for (const { group, applied } of told) this.#tellFields(group, applied)
    for (const delta of deltas) this.#events.emit('delta:processed', delta)
    if (deltas.length > 0) this.#events.emit('deltas:processed', { count: deltas.length, deltas })
    for (const { group, applied } of told) {
      const { entityType, source } = group
      const { oldState, newState, rows } = applied
      if (rows.length > 0) this.#events.emit('state:updated', { entityType, newState, oldState, source })
    }
  }

  #apply({ entityType, ids }: Group): Applied {
    return this.#locals.apply(entityType, ids, this.#events.count('state:updated') > 0)
  }

  #tellFields({ entityType, source }: Group, { rows }: Applied): void {
    for (const { id: entityId, changes } of rows)
      for (const change of changes)
        this.#events.emit('state:change', { ...change, entityType, entityId, source })
  }

  /** What came from elsewhere, told as it came. */
  #deltas({ entityType, source }: Group, { rows }: Applied): readonly Delta[] {
    if (source !== 'remote') return []
    const request = this.#host.request(entityType)
    // pages without their end are no answer
    const known = request?.answer?.hasMore === false ? request.answer : null
    const deltas = known?.deltas ?? rows.map(row => this.#deltaOf(entityType, row))
    if (request === undefined) for (const delta of deltas) this.#events.emit('sync:delta', delta)
    else {
      if (known === null) this.#host.respond(request, deltas)
      request.deltas.push(...deltas)
    }
    return deltas
  }

  #deltaOf(entityType: string, { id: entityId, changes }: RowChange): Delta {
    const vectorClock = this.#host.clockOf(entityType)
    return { entityType, entityId, changes, vectorClock, timestamp: changes[0]?.timestamp ?? 0 }
  }

  /** Deltas off the wire, with what was here before; without what was here already: the echo of our own. */
  filled(deltas: readonly Delta[]): Delta[] {
    return deltas.flatMap(delta => {
      const before = this.#locals.row(delta.entityType, delta.entityId)
      const held = (field: string): Json | undefined =>
        before === undefined ? undefined : Object.hasOwn(before, field) ? before[field] : null
      const changes = delta.changes
        .filter(({ field, newValue, changeType }) =>
          changeType === 'delete' ? before !== undefined : !sameJson(held(field), newValue),
        )
        .map(change => ({ ...change, oldValue: held(change.field) ?? change.oldValue }))
      return changes.length === 0 ? [] : [{ ...delta, changes }]
    })
  }
}
