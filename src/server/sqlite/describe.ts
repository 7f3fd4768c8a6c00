// What the database says of a table: columns and their kinds, the key, and every unique key that could evict a row.
import { isForbiddenName, SyncError, tableCandidates } from '../../core/index.ts'
import type { ColumnKind, EntityDefinition } from '../../core/index.ts'
import { integer, text, textOrNull } from './driver.ts'
import type { Connection } from './driver.ts'
import { literal, parseIndex } from './sql.ts'

export interface Column {
  readonly name: string
  readonly kind: ColumnKind
  readonly affinity: 'integer' | 'real' | 'numeric' | 'text' | 'blob'
  readonly notNull: boolean
  /** The table is STRICT, so that the kind is a promise. */
  readonly strict: boolean
  readonly generated: boolean
  readonly default: string | null
  readonly collation: string
  /** Place in the primary key from 1; 0 for others. */
  readonly keyPlace: number
}

/** One way in which REPLACE may evict a row. */
export interface UniqueKey {
  readonly terms: readonly {
    readonly sql: string
    readonly column: string | null
    readonly collation: string
  }[]
  readonly where: string | null
}

export interface ForeignKey {
  readonly column: string
  readonly table: string
}

export interface Table {
  readonly name: string
  readonly columns: readonly Column[]
  readonly key: readonly Column[]
  /** The INTEGER PRIMARY KEY, which is the rowid. */
  readonly rowid: string | null
  readonly uniques: readonly UniqueKey[]
  readonly foreignKeys: readonly ForeignKey[]
  /** The database makes the key of a row that names none. */
  readonly assignsKey: boolean
  /** Key columns in which SQLite would store a NULL; rows that have one there have no id and are not synced. */
  readonly mayBeNull: readonly Column[]
  /** As far as the schema tells, an update of a row changes that row as asked, and nothing else. */
  readonly quiet: boolean
}

/** The columns whose old values are logged. Throws INVALID_CONFIG where one is named that is not there. */
export function routingOf({ routing, name }: EntityDefinition, { columns }: Table): readonly string[] {
  const comparable = columns
    .filter(({ kind }) => kind !== 'blob' && kind !== 'json')
    .map(column => column.name)
  if (routing === 'all') return comparable
  for (const column of routing) {
    if (comparable.includes(column)) continue
    throw new SyncError(
      'INVALID_CONFIG',
      `'${name}' cannot go by '${column}': its table has no such column, or it holds JSON or bytes`,
    )
  }
  return routing
}

/** A rule for a column that is not there is misspelt. Throws INVALID_CONFIG. */
function checkColumns({ name, fields, serverOwned }: EntityDefinition, columns: readonly Column[]): void {
  for (const named of [...Object.keys(fields), ...serverOwned]) {
    if (columns.some(column => column.name === named)) continue
    throw new SyncError('INVALID_CONFIG', `'${name}' has a rule for '${named}': its table has no such column`)
  }
}

/** Throws UNKNOWN_TABLE, NO_PRIMARY_KEY, UNSUPPORTED_KEY, INVALID_CONFIG. */
export function describe(db: Connection, definition: EntityDefinition): Table {
  const found = findTable(db, definition)
  const columns = columnsOf(db, found.name, found.strict)
  for (const column of columns) {
    if (!isForbiddenName(column.name)) continue
    throw new SyncError(
      'INVALID_CONFIG',
      `table '${found.name}' has a column '${column.name}', which JavaScript objects cannot hold; rename it`,
    )
  }
  checkColumns(definition, columns)
  const key = keyOf(found.name, columns, definition)
  const single = key.length === 1 ? key[0] : undefined
  const primary = columns.filter(column => column.keyPlace > 0)
  const rowid =
    primary.length === 1 && !found.withoutRowid && isRowid(db, found.name, primary)
      ? (primary[0]?.name ?? null)
      : null
  for (const column of key) checkKeyColumn(found, column, column.name === rowid)
  const uniques = uniquesOf(db, found.name, rowid, key)
  if (definition.primaryKey !== undefined) checkChosenKey(db, found.name, key, rowid)
  const computed = single?.default?.includes('(') === true
  return {
    name: found.name,
    columns,
    key,
    rowid,
    uniques,
    foreignKeys: foreignKeysOf(db, found.name),
    assignsKey: single !== undefined && (single.name === rowid || computed),
    // WITHOUT ROWID and STRICT forbid NULL in a primary key by themselves
    mayBeNull:
      found.withoutRowid || found.strict
        ? []
        : key.filter(column => !column.notNull && column.name !== rowid),
    quiet: !columns.some(column => column.generated) && isQuiet(db, found.name),
  }
}

/** No triggers but ours, and nothing that cascades from an update. */
function isQuiet(db: Connection, table: string): boolean {
  const found = db.value(
    `SELECT 1 FROM (SELECT type,name,tbl_name FROM sqlite_master UNION ALL SELECT type,name,tbl_name FROM sqlite_temp_master)
       WHERE type='trigger' AND tbl_name=? COLLATE NOCASE AND name NOT LIKE '\\_syncline\\_%' ESCAPE '\\'
     UNION ALL SELECT 1 FROM sqlite_master AS m, pragma_foreign_key_list(m.name) AS f
       WHERE m.type='table' AND f."table"=? COLLATE NOCASE AND f.on_update NOT IN ('NO ACTION','RESTRICT') LIMIT 1`,
    table,
    table,
  )
  return found === undefined
}

interface Found {
  readonly name: string
  readonly strict: boolean
  readonly withoutRowid: boolean
}

function findTable(db: Connection, definition: EntityDefinition): Found {
  const candidates = tableCandidates(definition)
  for (const candidate of candidates) {
    // SQLite's names ignore case; the spelling of the database is the one that counts
    const row = db.get(
      'SELECT name, type, wr, strict FROM pragma_table_list WHERE schema = ? AND name = ? COLLATE NOCASE',
      'main',
      candidate,
    )
    if (row === undefined) continue
    const [table, type, wr, strict] = row
    if (type === 'table') return { name: text(table), strict: strict === 1, withoutRowid: wr === 1 }
    throw new SyncError(
      'UNKNOWN_TABLE',
      `'${text(table)}' is a ${text(type)}: SQLite has no triggers on it, so its changes cannot be seen; sync the tables below it`,
    )
  }
  throw new SyncError(
    'UNKNOWN_TABLE',
    `entity '${definition.name}': there is no table ${candidates.map(c => `'${c}'`).join(' or ')}`,
    {
      details: { entity: definition.name, table: candidates[0] },
    },
  )
}

function columnsOf(db: Connection, table: string, strict: boolean): Column[] {
  const keyCollations = collationsOfKey(db, table)
  const rows = db.all(
    'SELECT name, type, "notnull", dflt_value, pk, hidden FROM pragma_table_xinfo(?) WHERE hidden <> 1 ORDER BY cid',
    table,
  )
  return rows.map(([column, type, notNull, fallback, pk, hidden]) => {
    const declared = text(type).toUpperCase()
    return {
      name: text(column),
      kind: kindOf(declared),
      affinity: affinityOf(declared),
      notNull: notNull === 1,
      strict,
      generated: hidden === 2 || hidden === 3,
      default: textOrNull(fallback),
      collation: keyCollations.get(text(column)) ?? 'BINARY',
      keyPlace: integer(pk),
    }
  })
}

/** Only the collations of columns in some index matter; those are all that SQLite tells. */
function collationsOfKey(db: Connection, table: string): Map<string, string> {
  const rows = db.all(
    `SELECT x.name, x.coll FROM pragma_index_list(?) l, pragma_index_xinfo(l.name) x WHERE x.key = 1 AND l."unique" = 1 AND x.name IS NOT NULL
     ORDER BY l.origin <> 'pk'`,
    table,
  )
  const found = new Map<string, string>()
  for (const [column, collation] of rows)
    if (!found.has(text(column))) found.set(text(column), text(collation).toUpperCase())
  return found
}

function affinityOf(declared: string): Column['affinity'] {
  if (declared.includes('INT')) return 'integer'
  if (/CHAR|CLOB|TEXT/.test(declared)) return 'text'
  if (declared === '' || declared === 'ANY' || declared.includes('BLOB')) return 'blob'
  if (/REAL|FLOA|DOUB/.test(declared)) return 'real'
  return 'numeric'
}

function kindOf(declared: string): ColumnKind {
  if (/^BOOL(EAN)?\b/.test(declared)) return 'boolean'
  if (declared === 'JSON') return 'json'
  const affinity = affinityOf(declared)
  if (affinity === 'blob') return declared.includes('BLOB') ? 'blob' : 'any'
  return affinity === 'numeric' ? 'any' : affinity
}

function keyOf(table: string, columns: readonly Column[], definition: EntityDefinition): Column[] {
  const chosen = definition.primaryKey
  if (chosen !== undefined) {
    return chosen.map(wanted => {
      const column = columns.find(candidate => candidate.name === wanted)
      if (column === undefined)
        throw new SyncError('UNSUPPORTED_KEY', `table '${table}' has no column '${wanted}' to be its key`)
      return column
    })
  }
  const key = columns.filter(column => column.keyPlace > 0).sort((a, b) => a.keyPlace - b.keyPlace)
  if (key.length > 0) return key
  throw new SyncError(
    'NO_PRIMARY_KEY',
    `table '${table}' declares no primary key; rows without one cannot be told apart (VACUUM renumbers rowids). Declare one, e.g. id INTEGER PRIMARY KEY`,
    { details: { table } },
  )
}

function checkKeyColumn(table: Found, column: Column, isRowid: boolean): void {
  const bad = (why: string): SyncError =>
    new SyncError('UNSUPPORTED_KEY', `table '${table.name}': key column '${column.name}' ${why}`, {
      details: { table: table.name, column: column.name },
    })
  if (isRowid) return
  if (column.kind === 'blob') throw bad('is a BLOB, which cannot be an id; use TEXT or INTEGER')
  if (column.affinity === 'blob')
    throw bad(
      "has no type, so that it can hold 1 and '1' at once; declare it TEXT NOT NULL or INTEGER NOT NULL",
    )
  if (column.affinity === 'real')
    throw bad('is a floating point number, which cannot be an id; use TEXT or INTEGER')
  if (column.generated) throw bad('is a generated column')
  // SQLite lets a PRIMARY KEY hold many NULLs. Hardly a table means it: rows without a key are left out (`mayBeNull`)
  if (!column.notNull && column.keyPlace === 0) throw bad('may be NULL; declare it NOT NULL')
}

function isRowid(db: Connection, table: string, primary: readonly Column[]): boolean {
  // an INTEGER PRIMARY KEY has no index of its own: it is the rowid (INT or DESC spellings have one)
  const index = db.get("SELECT 1 FROM pragma_index_list(?) WHERE origin = 'pk'", table)
  return index === undefined && primary[0]?.affinity === 'integer'
}

function checkChosenKey(db: Connection, table: string, key: readonly Column[], rowid: string | null): void {
  const wanted = key
    .map(column => column.name)
    .toSorted()
    .join('\n')
  if (key.length === 1 && key[0]?.name === rowid) return
  const indexes = db.all(
    'SELECT l.name FROM pragma_index_list(?) l WHERE l."unique" = 1 AND l.partial = 0',
    table,
  )
  for (const [index] of indexes) {
    const columns = db
      .all('SELECT name FROM pragma_index_info(?)', text(index))
      .map(([column]) => text(column))
    if (columns.toSorted().join('\n') === wanted) return
  }
  throw new SyncError(
    'UNSUPPORTED_KEY',
    `table '${table}': (${key.map(c => c.name).join(', ')}) is not unique; create a unique index on it first`,
  )
}

/** All unique keys but the entity's own, where that one compares bytes: a row evicted by its own id is named anyway. */
function uniquesOf(db: Connection, table: string, rowid: string | null, key: readonly Column[]): UniqueKey[] {
  const uniques: UniqueKey[] = []
  const own = key
    .map(column => column.name)
    .toSorted()
    .join('\n')
  if (rowid !== null && own !== rowid)
    uniques.push({ terms: [{ sql: rowid, column: rowid, collation: 'BINARY' }], where: null })
  const indexes = db.all(
    'SELECT l.name, l.partial, s.sql FROM pragma_index_list(?) l LEFT JOIN sqlite_master s ON s.type = ? AND s.name = l.name WHERE l."unique" = 1',
    table,
    'index',
  )
  for (const [index, partial, sql] of indexes) {
    const parsed = sql === null || sql === undefined ? null : parseIndex(text(sql))
    const infos = db.all(
      'SELECT name, coll, cid FROM pragma_index_xinfo(?) WHERE key = 1 ORDER BY seqno',
      text(index),
    )
    const terms = infos.map(([column, collation, cid], i) => ({
      sql: integer(cid) >= 0 ? text(column) : (parsed?.terms[i] ?? 'NULL'),
      column: integer(cid) >= 0 ? text(column) : null,
      collation: text(collation).toUpperCase(),
    }))
    const names = terms
      .map(term => term.column ?? '')
      .toSorted()
      .join('\n')
    if (names === own && partial !== 1 && terms.every(term => term.collation === 'BINARY')) continue
    uniques.push({ terms, where: partial === 1 ? (parsed?.where ?? '1') : null })
  }
  return uniques
}

function foreignKeysOf(db: Connection, table: string): ForeignKey[] {
  // composite foreign keys cannot hold a temporary id, which always stands for a single column
  const rows = db.all(
    `SELECT "from", "table", count(*) FROM pragma_foreign_key_list(${literal(table)}) GROUP BY id HAVING count(*) = 1`,
  )
  return rows.map(([column, parent]) => ({ column: text(column), table: text(parent) }))
}
