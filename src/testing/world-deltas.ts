// What a client of a world that speaks the differential dialect by hand says and hears, in the terms of one that speaks of
// fields: `world-bare` keeps the rows of both.
import type { Delta, SyncAnswer, WireClock } from '../core/index.ts'
import type { Told } from './world-bare.ts'

type WireDelta = Delta<WireClock>

/** Frames of the dialect, as they are used here. */
export interface DeltaFrame {
  readonly type: string
  readonly data?: WireDelta &
    Pick<SyncAnswer, 'hasMore'> & {
      readonly deltas?: readonly WireDelta[]
      readonly currentVectorClock?: WireClock
      readonly reset?: boolean
    }
}

export function askFor(entityType: string, clock: WireClock | undefined): object {
  const data = { clientId: 'bare', entityType, ...(clock && { lastKnownVectorClock: clock }) }
  return { type: 'sync:request', syncId: `${entityType}-1-0`, data }
}

export function pushOf(
  entityType: string,
  entityId: string,
  values: readonly (readonly [column: string, value: string])[],
  seen: object,
): object {
  const changes = values.map(([field, newValue]) => ({ field, newValue, changeType: 'update' }))
  return { type: 'sync:delta', data: { entityType, entityId, changes, ...seen } }
}

/** A delta as the changes of its fields; one of a row that is gone has none. */
export function toldOf({ entityType: entity, entityId, changes, vectorClock }: WireDelta): Told[] {
  const common = { entity, entity_id: entityId, version: vectorClock.lamportCounter }
  if (changes[0]?.changeType === 'delete') return [{ ...common, action: 'delete' }]
  return changes.map(({ field, newValue: value, changeType: action }) => ({
    ...common,
    action,
    field,
    value,
  }))
}
