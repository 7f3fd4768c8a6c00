// Records of what did not survive, as the writer stores them (rule I1). Neighbours: `losses`, which says what was lost; the
// writer, in whose transaction they are stored.
import { conflictsName } from '../../core/index.ts'
import type { Attempt, Row, Standing } from '../../core/index.ts'
import { recordOver, recordsOf } from '../losses.ts'
import type { Judged, Loss } from '../losses.ts'
import type { PreparedWrite } from '../store.ts'
import type { Connection } from './driver.ts'
import type { Entity } from './entity.ts'
import { lookup } from './lines.ts'
import type { AcceptRequest } from './request.ts'

/** A write with its row as it stands, the log at `head`; `id` null: it names none that is there. */
export function judgedRow(
  db: Connection,
  { client, head }: { readonly client: string | null; readonly head: number },
  entity: Entity,
  id: string | null,
  write: PreparedWrite,
  standing: Standing,
): Judged {
  const row = id === null ? null : rowAt(db, entity, id)
  return { info: entity.info, id: id ?? write.id, write, standing, row, client, head }
}

function rowAt(db: Connection, entity: Entity, id: string): Row | null {
  const json = lookup(db, entity, [id], 'object').get(id)?.json
  // reason: our own SQL made the JSON object
  return json == null ? null : (JSON.parse(json) as Row)
}

export function* recordWrites(
  db: Connection,
  entity: Entity,
  losses: readonly Loss[],
  { sender, nowMs, owners }: AcceptRequest,
): Generator<PreparedWrite> {
  const users = new Map<string, string | null>()
  const user = (client: string): string | null => {
    // also of a client that nobody has: it would be looked for with every value that is lost to it
    if (!users.has(client)) users.set(client, owners.of(db, client, sender.user))
    return users.get(client) ?? null
  }
  for (const [id, record] of recordsOf(losses, sender, user, nowMs)) {
    const values = recordOver(rowAt(db, entity, id), record)
    if (values !== null) yield { entity: conflictsName, id, values, attempt: noted(values) }
  }
}

/** A record is written by nobody's client, and is above whatever stands there. */
function noted(row: Row): Attempt {
  return { action: 'create', columns: Object.keys(row), upsert: true, base: null, stamp: null, client: null }
}
