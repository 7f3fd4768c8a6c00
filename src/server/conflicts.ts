// The inbox of values that did not survive, as an entity: rules of access make of it what each user may see (I3), and what
// of it they may write, which is that a record is settled (I4).
import { conflictsName, defineEntity, SyncError } from '../core/index.ts'
import type { AccessUser, EntityDefinition, Filter, Row } from '../core/index.ts'
import type { ServerStore } from './store.ts'

export const conflictsTable = '_syncline_conflicts'

/** The application's own. */
export function namesOf({ entities }: Pick<ServerStore, 'entities'>): string[] {
  return [...entities.keys()].filter(name => name !== conflictsName)
}

/** Columns of a record but for the client's id, which is nobody's business. */
const shown = [
  'id',
  'entity',
  'row_id',
  'field',
  'base',
  'mine',
  'theirs',
  'mine_at',
  'theirs_at',
  'writer',
  'other',
  'outcome',
  'status',
  'at',
  'resolved_at',
  'resolved_by',
] as const

/** `now`: milliseconds since 1970. */
export function conflictsEntity(
  definitions: readonly EntityDefinition[],
  now: () => number,
): EntityDefinition {
  if (definitions.some(({ name }) => name === conflictsName))
    throw new SyncError('RESERVED_NAME', `'${conflictsName}' is the engine's own; leave it out of entities`)
  return defineEntity({
    name: conflictsName,
    table: conflictsTable,
    by: ['entity', 'field', 'writer', 'other'],
    access: {
      read: user => visible(definitions, user),
      columns: () => shown,
      write: (user, { action, data }) =>
        action === 'update' &&
        data['status'] === 'resolved' &&
        Object.keys(data).every(column => column === 'status') && {
          resolved_at: now(),
          resolved_by: user.id,
        },
    },
  })
}

/** Who wrote one of the two values sees the record, and where a table has no rule for its rows, everybody does. */
function visible(definitions: readonly EntityDefinition[], user: AccessUser): Filter<Row> {
  const open = definitions
    .filter(({ access }) => (access?.read?.(user) ?? true) === true)
    .map(({ name }) => name)
  const hidden = definitions.flatMap(({ name, access }): Filter<Row>[] => {
    const columns = access?.columns?.(user)
    return columns === undefined
      ? []
      : [{ or: [{ entity: { ne: name } }, { field: null }, { field: { in: columns } }] }]
  })
  return { and: [{ or: [{ writer: user.id }, { other: user.id }, { entity: { in: open } }] }, ...hidden] }
}
