// A captured table while the store is open: its description, and every statement about it, written out once.
import { FieldMergeStrategy, nativeId, SyncError } from '../../core/index.ts'
import type { EntityDefinition } from '../../core/index.ts'
import type { EntityInfo, RowForm } from '../store.ts'
import { idCodec, rowJson } from './codec.ts'
import type { IdCodec } from './codec.ts'
import { routingOf } from './describe.ts'
import type { Column, Table } from './describe.ts'
import type { SqlValue } from './driver.ts'
import { shapeHash } from './schema.ts'
import type { Registered } from './schema.ts'
import { boundLimit, name } from './sql.ts'

export interface Entity {
  readonly ent: number
  readonly generation: number
  readonly info: EntityInfo
  readonly table: Table
  readonly id: IdCodec
  readonly columns: ReadonlyMap<string, Column>
  readonly sql: EntitySql
}

export interface EntitySql {
  /** By a JSON array of canonical ids: place in it, exists, JSON, the line, the gone record. */
  readonly lookup: { readonly [form in RowForm | 'none']: string }
  /** Folded lines in (after, to] in seq order, with their rows. */
  readonly changed: { readonly [form in RowForm]: string }
  readonly page: (what: PageWhat) => string
  readonly ranked: (what: RankWhat) => string
  /** `WHERE` for one row; binds `keyParams`. */
  readonly whereKey: string
  /** `UPDATE` by the columns that it sets, as they are asked for. */
  readonly updates: Map<string, string>
  readonly saveLine: string
  readonly dropLine: string
  readonly saveGone: string
  readonly dropGone: string
  /** The folded delete of an id, whether or not a row has it again. */
  readonly goneStamp: string
}

/** A keyset page. It binds the key that it follows, then the values of `where`, in order, then the limit. */
export interface PageWhat {
  readonly form: RowForm | 'place'
  readonly first: boolean
  /** Columns and how many values each may have. */
  readonly where: readonly (readonly [column: string, values: number])[]
}

/** The first ids in an order. It binds a JSON array of canonical ids where it is `among` some, then as a page. */
export interface RankWhat extends Pick<PageWhat, 'where'> {
  readonly order: Order
  readonly among: boolean
}

export type Order = readonly (readonly [column: string, way: 'asc' | 'desc'])[]

export const lineColumns = 'r.seq,r.reading,r.whole,r.cells,r.tmp,r.client,r.mutation'
export const goneColumns = 'g.seq,g.reading,g.stamp,g.client,g.mutation'

export function makeEntity(
  definition: EntityDefinition,
  table: Table,
  { ent, generation }: Registered,
): Entity {
  const id = idCodec(table.key, table.mayBeNull)
  const [single] = table.key
  return {
    ent,
    generation,
    table,
    id,
    columns: new Map(table.columns.map(column => [column.name, column])),
    sql: statements(ent, table, id),
    info: {
      name: definition.name,
      table: table.name,
      shape: {
        columns: table.columns.map(column => [column.name, column.kind]),
        key: table.key.map(column => column.name),
        hash: shapeHash(table, generation),
        strategy: strategyShown(definition),
      },
      definition,
      integerKey: table.key.length === 1 && single?.affinity === 'integer',
      assignsKey: table.assignsKey,
      generated: new Set(table.columns.filter(column => column.generated).map(column => column.name)),
      routing: routingOf(definition, table),
    },
  }
}

/** What hides a pending write that is bound to lose (`hides`): of fields by themselves nobody knows that before the answer. */
function strategyShown({ strategy, grain }: EntityDefinition): FieldMergeStrategy {
  return strategy === undefined || grain === 'field' ? FieldMergeStrategy.LastWriteWins : strategy
}

function statements(ent: number, table: Table, id: IdCodec): EntitySql {
  const from = `${name(table.name)} AS t`
  const json = {
    values: rowJson(table.columns, 't', 'values'),
    object: rowJson(table.columns, 't', 'object'),
  }
  const keys = table.key.map(column => `t.${name(column.name)}`)
  // `+` takes the affinity away: our id columns have none, and an index on them serves only what has none either
  const held = keys.length > 1 || table.key[0]?.affinity === 'numeric' ? id.canonical('t') : (keys[0] ?? '')
  const line = `LEFT JOIN _syncline_rows AS r ON r.ent=${ent} AND r.id=+${held}`
  const lookup = (text: string): string =>
    `SELECT k.key,${keys[0]} IS NOT NULL,CASE WHEN ${keys[0]} IS NOT NULL THEN ${text} END,${lineColumns},${goneColumns}` +
    ` FROM json_each(?) AS k LEFT JOIN ${from} ON ${id.matchesText('t', 'k.value')}` +
    ` LEFT JOIN _syncline_rows AS r ON r.ent=${ent} AND r.id=+${id.held('k.value')}` +
    ` LEFT JOIN _syncline_gone AS g ON ${keys[0]} IS NULL AND g.ent=${ent} AND g.id=+${id.held('k.value')}`
  const changed = (form: RowForm): string =>
    `SELECT CAST(r.id AS TEXT),r.seq,r.reading,r.created,r.tmp,r.client,r.mutation,${json[form]},r.cells FROM _syncline_rows AS r` +
    ` CROSS JOIN ${from} ON ${id.matches('t', 'r.id')} WHERE r.ent=${ent} AND r.seq>? AND r.seq<=? ORDER BY r.seq ${boundLimit}`
  return {
    lookup: { values: lookup(json.values), object: lookup(json.object), none: lookup('NULL') },
    changed: { values: changed('values'), object: changed('object') },
    ...reading(table, id, { from, line, json }),
    whereKey: table.key
      .map(
        column =>
          `${name(column.name)}=?${column.collation === 'BINARY' ? '' : ` AND ${name(column.name)} COLLATE BINARY=?`}`,
      )
      .join(' AND '),
    updates: new Map(),
    saveLine: `INSERT OR REPLACE INTO _syncline_rows(ent,id,seq,reading,whole,created,cells,tmp,client,mutation) VALUES(${ent},${id.held('?')},?,?,?,?,?,?,?,?)`,
    dropLine: `DELETE FROM _syncline_rows WHERE ent=${ent} AND id=+${id.held('?')}`,
    saveGone: `INSERT OR REPLACE INTO _syncline_gone(ent,id,seq,reading,stamp,old,client,mutation) VALUES(${ent},${id.held('?')},?,?,?,?,?,?)`,
    goneStamp: `SELECT seq,stamp FROM _syncline_gone WHERE ent=${ent} AND id=+${id.held('?')}`,
    dropGone: `DELETE FROM _syncline_gone WHERE ent=${ent} AND id=+${id.held('?')}`,
  }
}

/** What reads the table itself, not what is known to have changed. */
function reading(
  table: Table,
  id: IdCodec,
  { from, line, json }: { from: string; line: string; json: { readonly [form in RowForm]: string } },
): Pick<EntitySql, 'page' | 'ranked'> {
  const keys = table.key.map(column => `t.${name(column.name)}`)
  const after =
    keys.length > 1 ? `(${keys.join(',')}) > (${keys.map(() => '?').join(',')})` : `${keys[0]} > ?`
  const keyed = table.mayBeNull.map(column => `t.${name(column.name)} IS NOT NULL`)
  const chosen = (where: PageWhat['where'], begin: readonly string[]): string => {
    const any = where.map(([column, count]) => `t.${name(column)} IN (${Array(count).fill('?').join(',')})`)
    const all = [...begin, ...any, ...keyed]
    return all.length === 0 ? '' : ` WHERE ${all.join(' AND ')}`
  }
  const pages = new Map<string, string>()
  return {
    page({ form, first, where }) {
      const what = JSON.stringify([form, first, where])
      const known = pages.get(what)
      if (known !== undefined) return known
      const columns = form === 'place' ? '' : `,coalesce(r.reading,0),${json[form]},r.tmp`
      const text =
        `SELECT ${id.canonical('t')},coalesce(r.seq,0)${columns} FROM ${from} ${line}` +
        `${chosen(where, first ? [] : [after])} ORDER BY ${keys.join(',')} ${boundLimit}`
      // clients choose the lengths of some lists
      if (pages.size > 200) pages.clear()
      pages.set(what, text)
      return text
    },
    ranked({ where, order, among }) {
      const by = order.map(([column, way]) => `t.${name(column)} COLLATE BINARY ${way}`)
      const some = `json_each(?) AS k CROSS JOIN ${from} ON ${id.matchesText('t', 'k.value')}`
      return (
        `SELECT ${id.canonical('t')} FROM ${among ? some : from}${chosen(where, [])}` +
        ` ORDER BY ${[...by, ...keys].join(',')} ${boundLimit}`
      )
    },
  }
}

/** What `whereKey` binds. */
export function keyParams({ id, table }: Entity, canonical: string): readonly SqlValue[] {
  const values = id.values(canonical)
  if (table.key.every(column => column.collation === 'BINARY')) return values
  return values.flatMap((value, i) => (table.key[i]?.collation === 'BINARY' ? [value] : [value, value]))
}

/** JSON text of an id as the database has it: a number where the key is one and JavaScript can hold it. */
export function idJsonOf({ integerKey }: EntityInfo, id: string): string {
  return JSON.stringify(nativeId(id, integerKey))
}

/** The entities of an open store. */
export class Catalog {
  readonly byName = new Map<string, Entity>()
  readonly byEnt = new Map<number, Entity>()
  readonly infos = new Map<string, EntityInfo>()
  /** Tables that were quiet by their schema, and did more than was asked all the same. */
  readonly surprising = new WeakSet<Entity>()
  /** Entities whose table is gone or unusable at the moment, with the reason. */
  readonly broken = new Map<string, SyncError>()

  set(entity: Entity): void {
    this.byName.set(entity.info.name, entity)
    this.byEnt.set(entity.ent, entity)
    this.infos.set(entity.info.name, entity.info)
    this.broken.delete(entity.info.name)
  }

  isQuiet(entity: Entity): boolean {
    return entity.table.quiet && !this.surprising.has(entity)
  }

  /** Its info stays, so that sessions can go on naming it. */
  breakOff(entity: string, why: SyncError): void {
    const known = this.byName.get(entity)
    if (known !== undefined) this.byEnt.delete(known.ent)
    this.byName.delete(entity)
    this.broken.set(entity, why)
  }

  /** Throws what is wrong with it. */
  get(entity: string): Entity {
    const known = this.byName.get(entity)
    if (known !== undefined) return known
    throw this.broken.get(entity) ?? new SyncError('UNKNOWN_ENTITY', `no entity '${entity}' is synced here`)
  }
}
