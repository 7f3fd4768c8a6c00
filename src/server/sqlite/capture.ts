// The triggers (rules C1 to C7, decision by measurement in docs): thin, total, one append each. They write down which row
// was touched and which columns changed; the table itself says what the row is. Old values are kept only of routing
// columns, because only moves between views need them.
//
// What must hold: a trigger reads and writes only its own table and the tail; it uses no JSON function (SQLite before
// 3.42 makes those fail on blobs and under trusted_schema=0), no syntax newer than 3.24 (a file that holds such syntax
// is unreadable for older programs) and no conflict clause (the outer statement's would override it).
import type { IdCodec } from './codec.ts'
import type { Column, Table, UniqueKey } from './describe.ts'
import { concat, literal, name } from './sql.ts'

export const prefix = '_syncline_'

/** Columns per `UPDATE OF` trigger: a compromise between statements that set one column and those that set all. */
const groupSize = 8

export interface Trigger {
  readonly name: string
  readonly sql: string
}

/** Microseconds since 1970, always above the last entry's. julianday, because unixepoch('subsec') came with 3.42. */
const clock =
  "max(CAST((julianday('now')-2440587.5)*86400000 AS INTEGER)*1000,1+coalesce((SELECT clock FROM _syncline_tail ORDER BY seq DESC LIMIT 1),0))"
const nonce = 'random()&9007199254740991'

export interface CaptureSource {
  readonly ent: number
  readonly table: Table
  readonly id: IdCodec
  readonly routing: readonly string[]
}

export function triggersOf(source: CaptureSource): Trigger[] {
  return [...evictions(source), ...moves(source), ...updates(source), ...rows(source)].map(
    ({ suffix, when, body }) => {
      const trigger = `${prefix}${source.ent}_${suffix}`
      return { name: trigger, sql: `CREATE TRIGGER ${name(trigger)} ${when} BEGIN ${body} END` }
    },
  )
}

interface Draft {
  readonly suffix: string
  readonly when: string
  readonly body: string
}

function entry({ ent, id }: CaptureSource, op: string, row: string, old: string): string {
  return `INSERT INTO _syncline_tail(clock,ent,id,op,old,nonce) VALUES(${clock},${ent},${id.ofRow(row)},'${op}',${old},${nonce});`
}

function rows(source: CaptureSource): Draft[] {
  const table = name(source.table.name)
  return [
    { suffix: 'i', when: `AFTER INSERT ON ${table}`, body: entry(source, 'c', 'NEW', 'NULL') },
    { suffix: 'd', when: `AFTER DELETE ON ${table}`, body: entry(source, 'd', 'OLD', image(source, 'OLD')) },
  ]
}

/** The routing columns of a row that goes, `,"col":<SQL literal>` each; NULL where there are none. */
function image(source: CaptureSource, row: string): string {
  return source.routing.length === 0 ? 'NULL' : concat(imageParts(source, row))
}

function imageParts({ routing }: CaptureSource, row: string): string[] {
  return routing.map(column => `${literal(`,${JSON.stringify(column)}:`)}||quote(${row}.${name(column)})`)
}

function updates(source: CaptureSource): Draft[] {
  const keys = new Set(source.table.key.map(column => column.name))
  const written = source.table.columns.filter(column => !keys.has(column.name) && !column.generated)
  // together in few triggers, so that few of them carry what routed the row
  const routes = (column: Column): boolean => source.routing.includes(column.name)
  const plain = [...written.filter(routes), ...written.filter(column => !routes(column))]
  const generated = source.table.columns.filter(column => !keys.has(column.name) && column.generated)
  const drafts: Draft[] = []
  for (let i = 0; i < plain.length; i += groupSize) {
    const group = plain.slice(i, i + groupSize)
    const of = group.map(column => name(column.name)).join(',')
    drafts.push({
      suffix: `u${i / groupSize}`,
      when: `AFTER UPDATE OF ${of} ON ${name(source.table.name)} WHEN ${anyChanged(group)}`,
      body: update(source, group),
    })
  }
  for (let i = 0; i < generated.length; i += groupSize) {
    // UPDATE OF never fires for a generated column, so this one has to look at every update
    const group = generated.slice(i, i + groupSize)
    drafts.push({
      suffix: `g${i / groupSize}`,
      when: `AFTER UPDATE ON ${name(source.table.name)} WHEN ${anyChanged(group)}`,
      body: update(source, group),
    })
  }
  return drafts
}

/**
 * The columns that changed, then, where one of them routes, `;` and all that routed the row before: it is read by itself,
 * whatever became of the row since. Bytes are compared, whatever collation the column has.
 */
function update(source: CaptureSource, columns: readonly Column[]): string {
  const masks = columns.map(
    column => `CASE WHEN ${changed(column)} THEN ${literal(`,${JSON.stringify(column.name)}`)} ELSE '' END`,
  )
  const routing = columns.filter(column => source.routing.includes(column.name))
  const was = concat([literal(';'), ...imageParts(source, 'OLD')])
  const moved = routing.length === 0 ? [] : [`CASE WHEN ${anyChanged(routing)} THEN ${was} ELSE '' END`]
  return entry(source, 'u', 'NEW', concat([...masks, ...moved]))
}

/** The no-op guard. Not as a subquery with the text that the entry takes: SQLite would make that text twice. */
function anyChanged(columns: readonly Column[]): string {
  return columns.map(changed).join(' OR ')
}

function changed(column: Column): string {
  return `OLD.${name(column.name)} COLLATE BINARY IS NOT NEW.${name(column.name)}`
}

/** A new key is a delete and a create (rule C5). `SET rowid=` escapes UPDATE OF, so a rowid's trigger has none. */
function moves(source: CaptureSource): Draft[] {
  const { key, rowid } = source.table
  const of = key.some(column => column.name === rowid)
    ? ''
    : ` OF ${key.map(column => name(column.name)).join(',')}`
  return [
    {
      suffix: 'm',
      when: `AFTER UPDATE${of} ON ${name(source.table.name)} WHEN ${key.map(changed).join(' OR ')}`,
      body: entry(source, 'd', 'OLD', image(source, 'OLD')) + entry(source, 'c', 'NEW', 'NULL'),
    },
  ]
}

/**
 * REPLACE deletes without firing delete triggers unless the application turned recursive_triggers on (rule C4). So the
 * rows that a unique key of the new one would evict are noted before; whether they went, the reader sees by looking.
 */
function evictions(source: CaptureSource): Draft[] {
  const { uniques } = source.table
  // a row evicted by its own key is named by the entry of the one that takes its place; its old values are not
  const own: UniqueKey[] = source.routing.length === 0 ? [] : [ownKey(source.table)]
  const all = [...uniques, ...own]
  if (all.length === 0) return []
  const table = name(source.table.name)
  const body = all.map(unique => suspects(source, unique, '')).join('')
  const drafts: Draft[] = [{ suffix: 'bi', when: `BEFORE INSERT ON ${table}`, body }]
  const others = source.table.key.map(
    column => `${table}.${name(column.name)} COLLATE BINARY IS NOT OLD.${name(column.name)}`,
  )
  const notSelf = ` AND (${others.join(' OR ')})`
  const columns = uniqueColumns(source.table, all)
  const moved = columns
    ?.map(column => `OLD.${name(column)} COLLATE BINARY IS NOT NEW.${name(column)}`)
    .join(' OR ')
  const when =
    columns === null
      ? `BEFORE UPDATE ON ${table}`
      : `BEFORE UPDATE OF ${columns.map(name).join(',')} ON ${table} WHEN ${moved}`
  drafts.push({ suffix: 'bu', when, body: all.map(unique => suspects(source, unique, notSelf)).join('') })
  return drafts
}

function ownKey(table: Table): UniqueKey {
  return {
    terms: table.key.map(column => ({ sql: column.name, column: column.name, collation: column.collation })),
    where: null,
  }
}

/** Null: an index is partial, by expression or on generated columns, or holds the rowid; any update may move it. */
function uniqueColumns(table: Table, uniques: readonly UniqueKey[]): string[] | null {
  const columns = new Set<string>()
  for (const { terms, where } of uniques) {
    if (where !== null) return null
    for (const { column } of terms) {
      if (
        column === null ||
        column === table.rowid ||
        table.columns.some(c => c.name === column && c.generated)
      )
        return null
      columns.add(column)
    }
  }
  return [...columns]
}

/** One seek into one unique index. The index's own text is used verbatim: bare names mean the row, or NEW within `fresh`. */
function suspects(source: CaptureSource, unique: UniqueKey, and: string): string {
  const table = name(source.table.name)
  const fresh = `(SELECT ${source.table.columns.map(c => `NEW.${name(c.name)} AS ${name(c.name)}`).join(',')}) AS ${table}`
  const terms = unique.terms.map(({ sql, column, collation }) =>
    column === null
      ? `(${sql}) COLLATE ${name(collation)} = (SELECT ${sql} FROM ${fresh})`
      : `${table}.${name(column)} COLLATE ${name(collation)} = NEW.${name(column)}`,
  )
  const partial = unique.where === null ? [] : [`(${unique.where})`, `(SELECT ${unique.where} FROM ${fresh})`]
  return (
    `INSERT INTO _syncline_tail(clock,ent,id,op,old,nonce) SELECT ${clock},${source.ent},${source.id.ofRow(table)},'?',${image(source, table)},${nonce}` +
    ` FROM ${table} WHERE ${[...terms, ...partial].join(' AND ')}${and};`
  )
}
