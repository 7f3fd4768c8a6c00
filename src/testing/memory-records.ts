// The records of what did not survive, in the memory database: the engine's own table, and the rows that a transaction
// adds to it (rule I1). Neighbours: accept, which says what was lost; `losses` of the server, which says what of it is stored.
import { conflictsName } from '../core/index.ts'
import type { Standing } from '../core/index.ts'
import { recordOver, recordsOf, withinSight } from '../server/index.ts'
import type { EntityInfo, Loss, Sender } from '../server/index.ts'
import type { MemoryDatabase } from './memory-database.ts'
import type { ColumnSpec, TableSpec } from './memory-table.ts'
import type { MemoryTransaction } from './memory-transaction.ts'

const kinds: { readonly [column: string]: ColumnSpec['kind'] } = {
  id: 'text',
  entity: 'text',
  row_id: 'text',
  field: 'text',
  base: 'json',
  mine: 'json',
  theirs: 'json',
  mine_at: 'integer',
  theirs_at: 'integer',
  writer: 'text',
  other: 'text',
  outcome: 'text',
  status: 'text',
  at: 'integer',
  resolved_at: 'integer',
  resolved_by: 'text',
  client: 'text',
  place: 'integer',
}

/** Every database of ours has it. */
export const conflictsSpec: TableSpec = {
  name: '_syncline_conflicts',
  key: ['id'],
  columns: Object.fromEntries(Object.entries(kinds).map(([column, kind]) => [column, { kind }])),
}

/** `standing`: of a row, with all that the transaction stored. */
export function noteLosses(
  entities: ReadonlyMap<string, EntityInfo>,
  losses: readonly Loss[],
  standing: (info: EntityInfo, id: string) => Standing,
  transaction: MemoryTransaction,
  { clients, env }: Pick<MemoryDatabase, 'clients' | 'env'>,
  sender: Sender,
): void {
  const table = entities.get(conflictsName)?.table
  if (table === undefined) return
  const told = losses.map(loss => {
    const info = entities.get(loss.entity)
    return info === undefined ? loss : withinSight(loss, info, () => standing(info, loss.id))
  })
  const userOf = (client: string): string | null => {
    const users = [...clients].flatMap(key =>
      key.endsWith(`\n${client}`) ? [key.slice(0, -client.length - 1)] : [],
    )
    return users.includes(sender.user) ? sender.user : (users[0] ?? null)
  }
  for (const [id, record] of recordsOf(told, sender, userOf, env.now())) {
    const known = transaction.read(table, id)
    const values = recordOver(known, record)
    if (values === null) continue
    if (known === null) transaction.insert(table, values)
    else transaction.update(table, id, values)
  }
}
