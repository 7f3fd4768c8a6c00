// A user's writes on their way through the engine, and what the promises for them are told. Neighbours: `client`, which takes
// them from users; the replica's desk, which says what becomes of them.
import type { Json, Row, Write } from '../core/index.ts'
import { SyncError } from '../core/index.ts'
import type { DeadLetter, PendingWrite, WriteHandle } from './api.ts'
import { drive } from './connector.ts'
import { need, post, tellOthers } from './crew.ts'
import { leads } from './crew-state.ts'
import { emit, report, tell } from './engine.ts'
import type { Engine } from './engine.ts'
import { failHandle, newHandle } from './handles.ts'
import type { Handle } from './handles.ts'
import { switchUser } from './opening.ts'
import type { ReplicaEvent } from './replica.ts'
import { letterOf } from './settle.ts'
import type { Effect, Settled } from './state.ts'

/** `first`: of what is written. */
export function put(engine: Engine, handle: Handle, event: ReplicaEvent, first?: Write): void {
  const n = tell(engine, event)
  engine.handles.set(n, handle)
  if (n > 0) return
  // nothing changed: nothing to send, settled as it stands
  handle.onDisk.resolve()
  const version = engine.replica.state.entities.get(first?.entity ?? '')?.cursor?.seq ?? 0
  settle(engine, 0, { status: 'applied', version, ids: {} })
}

/** Those that are not the engine's own. */
export type HomeEffect = Exclude<Effect, { readonly do: 'changed' | 'send' | 'home' }>

/** What a page without a home has nothing of: disk, writes, leaders, other users. */
export function carry(engine: Engine, effect: HomeEffect): void {
  switch (effect.do) {
    case 'save':
      engine.disk.save(effect.work)
      break
    case 'settle':
      settle(engine, effect.n, effect.settled)
      break
    case 'reject': {
      const { n, record, error } = effect
      if (leads(engine)) tellOthers(engine, [record])
      engine.handles.get(n)?.done.reject(error)
      engine.handles.delete(n)
      emit(engine, 'rejected', { ...letterOf(record), cause: error })
      break
    }
    case 'reload':
      need(engine, true)
      break
    case 'pause':
      engine.env.after(effect.ms, () => tell(engine, { type: 'resume' }))
      break
    case 'user':
      drive(engine.connector, { type: 'stop' })
      emit(engine, 'user', effect.user)
      switchUser(engine, effect.user)
      break
    case 'error':
      report(engine, effect.error)
      break
  }
}

function settle({ handles }: Engine, n: number, { status, version, ids }: Settled): void {
  const handle = handles.get(n)
  handle?.done.resolve({ status, version, id: ids[handle.id] ?? handle.id })
  handles.delete(n)
}

/** Whoever waits for a write is told that this client will not tell. */
export function failHandles(handles: Engine['handles'], error: SyncError): void {
  for (const handle of handles.values()) failHandle(handle, error)
  handles.clear()
}

/** A temporary id that a page still holds, where it has become a real one meanwhile. */
export function withRealIds(engine: Engine, row: Row): Row {
  const { alias } = engine.replica.state
  if (alias.size === 0) return row
  const real: Record<string, Json> = { ...row }
  for (const [column, value] of Object.entries(row))
    if (typeof value === 'string') real[column] = alias.get(value) ?? value
  return real
}

export function pending({ replica }: Engine): PendingWrite[] {
  return Array.from(replica.state.entries.values(), ({ record: { n, mutation, timestamp }, sent }) => ({
    n,
    writes: mutation.writes,
    at: timestamp,
    sent,
  }))
}

export function deadLetters({ replica }: Engine): DeadLetter[] {
  return Array.from(replica.state.dead.values(), ({ record }) => letterOf(record))
}

/** Throws NOT_FOUND. */
export function retry(engine: Engine, n: number, writes?: readonly Write[]): WriteHandle {
  const first = engine.replica.state.dead.get(n)?.record.mutation.writes[0]
  if (first === undefined) throw new SyncError('NOT_FOUND', `no dead letter ${n}`)
  const handle = newHandle(first.id)
  put(engine, handle, { type: 'retry', n, writes }, first)
  post(engine, { type: 'discarded', ns: [n] })
  return handle
}

export function discard(engine: Engine, n: number): void {
  tell(engine, { type: 'discard', n })
  post(engine, { type: 'discarded', ns: [n] })
}
