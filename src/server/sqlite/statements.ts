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

/** The id of the new row; null where a trigger ignored it. `id` null: the database assigns it. */
export function insertRow(
  db: Connection,
  entity: Entity,
  id: string | null,
  values: Map<string, SqlValue>,
): string | null {
  const keys = entity.table.key
  if (id === null) for (const column of keys) values.delete(column.name)
  else for (const [i, value] of entity.id.values(id).entries()) values.set(keys[i]?.name ?? '', value)
  const table = name(entity.table.name)
  const columns = [...values.keys()]
  const listed = `(${columns.map(name).join(',')}) VALUES(${columns.map(() => '?').join(',')})`
  const into = columns.length === 0 ? 'DEFAULT VALUES' : listed
  if (id !== null) {
    db.run(`INSERT INTO ${table} ${into}`, ...values.values())
    return id
  }
  const returned = db.value(
    `INSERT INTO ${table} ${into} RETURNING ${entity.id.canonical(table)}`,
    ...values.values(),
  )
  return returned === undefined ? null : text(returned)
}

export function updateRow(db: Connection, entity: Entity, id: string, values: Map<string, SqlValue>): void {
  for (const column of entity.table.key) values.delete(column.name)
  if (values.size === 0) return
  const set = Array.from(values.keys(), column => `${name(column)}=?`).join(',')
  db.run(
    `UPDATE ${name(entity.table.name)} SET ${set} WHERE ${entity.sql.whereKey}`,
    ...values.values(),
    ...keyParams(entity, id),
  )
}

export function deleteRow(db: Connection, entity: Entity, id: string): void {
  db.run(`DELETE FROM ${name(entity.table.name)} WHERE ${entity.sql.whereKey}`, ...keyParams(entity, id))
}

/** What to bind, by column. `resolved` values replace the written ones; `real` makes references of temporary ids real. */
export function valuesOf(
  entity: Entity,
  write: PreparedWrite,
  columns: readonly string[],
  resolved: Row | null,
  real: (column: string, value: Json) => Json,
): Map<string, SqlValue> {
  const values = new Map<string, SqlValue>()
  const { definition, generated } = entity.info
  const refuse = (code: 'UNKNOWN_FIELD' | 'INVALID_VALUE', field: string, why: string): SyncError =>
    new SyncError(code, `'${field.slice(0, 80)}' of '${write.entity}' ${why}`, {
      details: { field: field.slice(0, 80) },
    })
  for (const field of columns) {
    const column = entity.columns.get(field)
    if (column === undefined) {
      if (definition.unknownFields === 'ignore') continue
      throw refuse('UNKNOWN_FIELD', field, 'is no column')
    }
    const fromResolver = resolved !== null && Object.hasOwn(resolved, field)
    if (!fromResolver && definition.serverOwned.includes(field))
      throw refuse('INVALID_VALUE', field, 'is written by the server only')
    if (generated.has(field)) {
      if (fromResolver) continue
      throw refuse('INVALID_VALUE', field, 'is computed by the database')
    }
    const value = fromResolver ? resolved[field] : write.values[field]
    values.set(field, encodeValue(column, real(field, value ?? null)))
  }
  return values
}
