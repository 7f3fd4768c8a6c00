// The statements that store a client's write in the user's table: values bound by the kind of their column, names only
// from the table's own description.
import { SyncError } from '../../core/index.ts'
import type { Json, Row } from '../../core/index.ts'
import type { PreparedWrite } from '../store.ts'
import { encodeValue } from './codec.ts'
import { text } from './driver.ts'
import type { Connection, SqlValue } from './driver.ts'
import { keyParams } from './entity.ts'
import type { Entity } from './entity.ts'
import { name } from './sql.ts'

/** What a write binds, by column, in two lists; never the key, which the row's id says. */
export interface Values {
  readonly columns: readonly string[]
  readonly values: readonly SqlValue[]
}

/** The id of the new row; null where a trigger ignored it. `id` null: the database assigns it. */
export function insertRow(
  db: Connection,
  entity: Entity,
  id: string | null,
  { columns, values }: Values,
): string | null {
  const table = name(entity.table.name)
  const into = (list: readonly string[]): string =>
    list.length === 0
      ? `INSERT INTO ${table} DEFAULT VALUES`
      : `INSERT INTO ${table} (${list.map(name).join(',')}) VALUES(${list.map(() => '?').join(',')})`
  if (id !== null) {
    const keys = entity.table.key.map(column => column.name)
    db.run(into([...columns, ...keys]), ...values, ...entity.id.values(id))
    return id
  }
  const returned = db.value(`${into(columns)} RETURNING ${entity.id.canonical(table)}`, ...values)
  return returned === undefined ? null : text(returned)
}

export function updateRow(db: Connection, entity: Entity, id: string, { columns, values }: Values): void {
  if (columns.length === 0) return
  db.run(updateSql(entity, columns), ...values, ...keyParams(entity, id))
}

/** Clients choose the combinations; forgetting them costs only making the text again. */
const maxUpdates = 500

function updateSql({ sql, table }: Entity, columns: readonly string[]): string {
  const key = columns.join('\0')
  let update = sql.updates.get(key)
  if (update === undefined) {
    const set = columns.map(column => `${name(column)}=?`).join(',')
    update = `UPDATE ${name(table.name)} SET ${set} WHERE ${sql.whereKey}`
    if (sql.updates.size >= maxUpdates) sql.updates.clear()
    sql.updates.set(key, update)
  }
  return update
}

export function deleteRow(db: Connection, entity: Entity, id: string): void {
  db.run(`DELETE FROM ${name(entity.table.name)} WHERE ${entity.sql.whereKey}`, ...keyParams(entity, id))
}

/** `resolved` values replace the written ones; `real` makes references of temporary ids real. */
export function valuesOf(
  entity: Entity,
  write: PreparedWrite,
  wanted: readonly string[],
  resolved: Row | null,
  real: (column: string, value: Json) => Json,
): Values {
  const columns: string[] = []
  const values: SqlValue[] = []
  const { definition, generated } = entity.info
  for (const field of wanted) {
    const column = entity.columns.get(field)
    if (column === undefined) {
      if (definition.unknownFields === 'ignore') continue
      throw refused('UNKNOWN_FIELD', write, field, 'is no column')
    }
    const fromResolver = resolved !== null && Object.hasOwn(resolved, field)
    if (!fromResolver && definition.serverOwned.includes(field))
      throw refused('INVALID_VALUE', write, field, 'is written by the server only')
    if (generated.has(field)) {
      if (fromResolver) continue
      throw refused('INVALID_VALUE', write, field, 'is computed by the database')
    }
    const value = fromResolver ? resolved[field] : write.values[field]
    const encoded = encodeValue(column, real(field, value ?? null))
    if (entity.table.key.includes(column)) continue
    columns.push(field)
    values.push(encoded)
  }
  return { columns, values }
}

function refused(
  code: 'UNKNOWN_FIELD' | 'INVALID_VALUE',
  write: PreparedWrite,
  field: string,
  why: string,
): SyncError {
  return new SyncError(code, `'${field.slice(0, 80)}' of '${write.entity}' ${why}`, {
    details: { field: field.slice(0, 80) },
  })
}
