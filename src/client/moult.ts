// What a client does whose disk takes nothing any more, or is taken away (rule R8): on in memory, as another client once
// what has its numbers already is settled.
import { leave } from './crew.ts'
import { drive } from './connector.ts'
import { tell } from './engine.ts'
import { newDisk, storageFailed } from './engine-disk.ts'
import type { Engine } from './engine.ts'
import { noStore } from './memory.ts'
import type { ReplicaEvent } from './replica.ts'
import { firstDraft, taken } from './store.ts'

/**
 * Mutations that the disk cannot take get numbers of another client, which nobody else gives: those of this one are
 * counted on the disk. They wait until what has its number already is settled.
 */
export function moult(engine: Engine): void {
  const { replica, env, shelves, crew, rowsLost } = engine
  // others read from this disk what the tab that leads stores there: one that cannot store rows must not lead them
  if (engine.broken === null && rowsLost !== null && crew.others) storageFailed(engine, rowsLost)
  const [first = 0] = replica.state.entries.keys()
  if (engine.broken === null || engine.moulted) return
  if (engine.broken === taken && crew.name !== '') return part(engine)
  if (crew.lead.role !== 'follow' && first > 0 && first < firstDraft) return
  engine.moulted = true
  leave(engine)
  engine.store = noStore()
  engine.disk = newDisk(() => engine, engine.store)
  const client = env.unique()
  shelves.set(client, engine.handles)
  restart(engine, { type: 'moult', client })
}

/**
 * The browser took the database away from under its pages. All of it is in memory here, and maybe nowhere else: each tab
 * sends it by itself, those that come later have a database of their own.
 */
function part(engine: Engine): void {
  leave(engine)
  // the same for all of them, and above all that were given: none of them fences another off
  restart(engine, { type: 'role', follows: false, lead: Number.MAX_SAFE_INTEGER })
}

/** No connection lives through a change of what we are to the server. */
function restart(engine: Engine, event: ReplicaEvent): void {
  drive(engine.connector, { type: 'stop' })
  tell(engine, event)
  if (engine.wanted && !engine.closed) drive(engine.connector, { type: 'start' })
}
