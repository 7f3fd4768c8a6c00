// Values between SQL and JSON, and ids between the canonical string and the key's own values (rules L8, X06).
// JSON is made in SQL, by column kind, and never parsed on its way out.
import { SyncError } from '../../core/index.ts'
import type { Json } from '../../core/index.ts'
import type { RowForm } from '../store.ts'
import type { Column } from './describe.ts'
import type { SqlValue } from './driver.ts'
import { concat, literal, name } from './sql.ts'

// ---- out

/** The SQL expression of a column's JSON text; `x` is the column as this statement calls it. Safe for any value. */
export function jsonOf(column: Column, x: string): string {
  switch (column.kind) {
    case 'boolean':
      return `CASE ${x} WHEN 1 THEN 'true' WHEN 0 THEN 'false' ELSE ${anyJson(x)} END`
    case 'json':
      // json_valid reads no further than a NUL; as bytes, the text of a UTF-16 database would be full of them
      return `CASE WHEN typeof(${x})='text' AND json_valid(${x}) AND instr(${x},char(0))=0 THEN ${x} ELSE ${anyJson(x)} END`
    case 'text':
      return column.strict
        ? `json_quote(${x})`
        : `CASE typeof(${x}) WHEN 'text' THEN json_quote(${x}) ELSE ${anyJson(x)} END`
    case 'integer':
      return `CASE WHEN typeof(${x})='integer' AND ${x} BETWEEN -9007199254740991 AND 9007199254740991 THEN ${x} ELSE ${anyJson(x)} END`
    default:
      return anyJson(x)
  }
}

function anyJson(x: string): string {
  return (
    `CASE typeof(${x}) WHEN 'text' THEN json_quote(${x})` +
    ` WHEN 'integer' THEN CASE WHEN ${x} BETWEEN -9007199254740991 AND 9007199254740991 THEN ${x} ELSE '"'||${x}||'"' END` +
    ` WHEN 'real' THEN ${realJson(x)}` +
    ` WHEN 'blob' THEN '{"$blob":"'||_syncline_base64(${x})||'"}' ELSE 'null' END`
  )
}

/** Infinity is the one real with `x-x` not 0; 15 digits where they say it all, else 17. */
function realJson(x: string): string {
  const short = `printf('%!.15g',${x})`
  return `CASE WHEN ${x}-${x}=0 THEN CASE WHEN CAST(${short} AS REAL)=${x} THEN ${short} ELSE printf('%!.17g',${x}) END ELSE 'null' END`
}

/** The row's JSON text in the asked form. */
export function rowJson(columns: readonly Column[], alias: string, form: RowForm): string {
  const parts: string[] = []
  let glue = form === 'object' ? '{' : ''
  for (const column of columns) {
    const label = form === 'object' ? `${JSON.stringify(column.name)}:` : ''
    if (glue + label !== '') parts.push(literal(glue + label))
    parts.push(`(${jsonOf(column, `${alias}.${name(column.name)}`)})`)
    glue = ','
  }
  if (form === 'object') parts.push(literal('}'))
  return concat(parts)
}

/** A value that `quote` wrote, as its JSON is otherwise made in SQL; null for what cannot be compared. */
export function valueOfLiteral({ kind }: Column, sql: string): Json {
  if (sql === 'NULL' || sql.startsWith('X')) return null
  if (sql.startsWith("'")) return sql.slice(1, -1).replaceAll("''", "'")
  const value = Number(sql)
  if (kind === 'boolean' && (value === 0 || value === 1)) return value === 1
  if (/^-?\d+$/.test(sql)) return Number.isSafeInteger(value) ? value : sql
  return Number.isFinite(value) ? value : null
}

// ---- in

/** What to bind for a JSON value; throws INVALID_VALUE where the column cannot mean it. */
export function encodeValue(column: Column, value: Json): SqlValue {
  if (value === null) return null
  const blob = column.kind === 'json' ? null : blobOf(value)
  if (blob !== null) {
    if (column.kind === 'blob' || column.kind === 'any') return blob
    throw badValue(column, 'no bytes')
  }
  switch (column.kind) {
    case 'json':
      return JSON.stringify(value)
    case 'boolean':
      if (typeof value === 'boolean') return value ? 1 : 0
      if (value === 0 || value === 1) return value
      throw badValue(column, 'true or false')
    case 'integer':
    case 'real':
      return encodeNumber(column, value)
    case 'text':
      if (typeof value === 'string') return value
      if (typeof value === 'number') return String(value)
      throw badValue(column, 'text')
    case 'blob':
      if (typeof value === 'string') return value
      throw badValue(column, '{"$blob": base64}')
    case 'any':
      if (typeof value === 'boolean') return value ? 1 : 0
      if (typeof value === 'string') return value
      // node:sqlite binds every number as a real, which a column without affinity would keep
      if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : value
      throw badValue(column, 'text, a number or bytes; declare the column JSON to hold more')
  }
}

function encodeNumber(column: Column, value: Json): SqlValue {
  if (typeof value === 'number') return value
  if (typeof value === 'boolean' && column.kind === 'integer') return value ? 1 : 0
  if (typeof value === 'string') {
    if (/^-?\d{1,19}$/.test(value)) {
      const whole = BigInt(value)
      if (whole >= -(2n ** 63n) && whole < 2n ** 63n) return whole
    } else if (column.kind === 'real' && value !== '' && Number.isFinite(Number(value))) return Number(value)
  }
  throw badValue(column, column.kind === 'integer' ? 'an integer' : 'a number')
}

function blobOf(value: Json): Uint8Array | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null
  const entries = Object.entries(value)
  const [key, encoded] = entries[0] ?? []
  if (entries.length !== 1 || key !== '$blob' || typeof encoded !== 'string') return null
  return new Uint8Array(Buffer.from(encoded, 'base64'))
}

function badValue(column: Column, wanted: string): SyncError {
  return new SyncError('INVALID_VALUE', `column '${column.name}' takes ${wanted}`, {
    details: { field: column.name },
  })
}

// ---- ids

/**
 * How an id is held in our tables: an integer key as integer, a single text or numeric key as text, so that joins find
 * the row by index; a composite key as the canonical text itself. The triggers write a composite key as `quote()`
 * texts in brackets, because no JSON function may run in them.
 */
export interface IdCodec {
  /** Of `NEW` or `OLD`, in a trigger. */
  ofRow(row: string): string
  /** The canonical id of a living row, as SQL text. */
  canonical(row: string): string
  /** An id that is bound as canonical text, as our tables hold it. `p` is the parameter or expression. */
  held(p: string): string
  /** True where the row's key is what our tables hold as `id`. */
  matches(row: string, id: string): string
  /** True where the row's key is a canonical id given as text. */
  matchesText(row: string, id: string): string
  /** From what a trigger wrote. */
  decode(logged: string): string
  /** Null: this cannot be an id of the table. */
  check(id: string): string | null
  /** The key's values for an insert, in key order. */
  values(id: string): SqlValue[]
}

/** `mayBeNull`: key columns that make a row without an id where they are NULL. */
export function idCodec(key: readonly Column[], mayBeNull: readonly Column[]): IdCodec {
  const [single] = key
  return key.length === 1 && single !== undefined ? singleId(single) : compositeId(key, mayBeNull)
}

/** Keys that do not compare bytes find their row by their index and then compare bytes. */
function equal(column: Column, row: string, value: string): string {
  const x = `${row}.${name(column.name)}`
  return column.collation === 'BINARY'
    ? `${x} = ${value}`
    : `${x} = ${value} AND ${x} COLLATE BINARY = ${value}`
}

function singleId(column: Column): IdCodec {
  const x = (row: string): string => `${row}.${name(column.name)}`
  const isInteger = column.affinity === 'integer'
  const asText = column.affinity === 'numeric'
  return {
    ofRow: row => (asText ? `CAST(${x(row)} AS TEXT)` : x(row)),
    canonical: row => `CAST(${x(row)} AS TEXT)`,
    held: p => (isInteger ? `CAST(${p} AS INTEGER)` : p),
    matches: (row, id) => equal(column, row, id),
    matchesText: (row, id) => equal(column, row, isInteger ? `CAST(${id} AS INTEGER)` : id),
    decode: logged => logged,
    check: id => (isInteger ? wholeNumber(id) : id),
    values: id => [isInteger ? BigInt(id) : id],
  }
}

function compositeId(key: readonly Column[], mayBeNull: readonly Column[]): IdCodec {
  const matches = (row: string, id: string): string =>
    key
      .map((column, i) => {
        const part = `json_extract(${id},'$[${i}]')`
        return equal(column, row, column.affinity === 'integer' ? `CAST(${part} AS INTEGER)` : part)
      })
      .join(' AND ')
  return {
    ofRow(row) {
      const id = `'['||${key.map(column => `quote(${row}.${name(column.name)})`).join("||','||")}||']'`
      if (mayBeNull.length === 0) return id
      const keyless = mayBeNull.map(column => `${row}.${name(column.name)} IS NULL`).join(' OR ')
      return `CASE WHEN ${keyless} THEN NULL ELSE ${id} END`
    },
    canonical: row =>
      `'['||${key.map(column => `(${jsonOf(column, `${row}.${name(column.name)}`)})`).join("||','||")}||']'`,
    held: p => p,
    matches,
    matchesText: matches,
    decode: logged =>
      JSON.stringify(splitQuoted(logged.slice(1, -1)).map((part, i) => decodePart(part, key[i]))),
    check: id => {
      const values = partsOf(id, key.length)
      const checked = values?.map((value, i) => checkPart(value, key[i]))
      return checked === undefined || checked.includes(null) ? null : JSON.stringify(checked)
    },
    values: id => {
      const parts = partsOf(id, key.length) ?? []
      return key.map((column, i) => encodeValue(column, parts[i] ?? null))
    },
  }
}

function partsOf(id: string, length: number): Json[] | null {
  if (!id.startsWith('[')) return null
  try {
    const parts: unknown = JSON.parse(id)
    if (!Array.isArray(parts) || parts.length !== length) return null
    return parts as Json[] // reason: it came out of JSON.parse
  } catch {
    return null
  }
}

/** As the id of a stored row would say it; null where the column cannot hold it. */
function checkPart(value: Json, column: Column | undefined): Json {
  if (column?.affinity === 'integer') {
    const whole = typeof value === 'number' || typeof value === 'string' ? wholeNumber(String(value)) : null
    if (whole === null) return null
    return Number.isSafeInteger(Number(whole)) ? Number(whole) : whole
  }
  return typeof value === 'string'
    ? value
    : typeof value === 'number' && column?.affinity === 'text'
      ? String(value)
      : value
}

function decodePart(quoted: string, column: Column | undefined): Json {
  if (quoted.startsWith("'")) return quoted.slice(1, -1).replaceAll("''", "'")
  if (!/^-?\d+$/.test(quoted)) return /^-?[\d.]/.test(quoted) ? Number(quoted) : quoted
  const number = Number(quoted)
  if (column?.kind === 'boolean' && (number === 0 || number === 1)) return number === 1
  return Number.isSafeInteger(number) ? number : quoted
}

/** Cuts `'a''b',5,NULL` at the commas outside the quotes. */
function splitQuoted(texts: string): string[] {
  const parts: string[] = []
  let start = 0
  let quoted = false
  for (let i = 0; i < texts.length; i++) {
    const char = texts.charAt(i)
    if (char === "'") quoted = !quoted
    else if (char === ',' && !quoted) {
      parts.push(texts.slice(start, i))
      start = i + 1
    }
  }
  return [...parts, texts.slice(start)]
}

/** A 64-bit integer in its one spelling; null for anything else. */
function wholeNumber(id: string): string | null {
  // nearly every one is short and in its one spelling
  if (/^[1-9]\d{0,14}$/.test(id)) return id
  if (!/^-?\d{1,19}$/.test(id)) return null
  const value = BigInt(id)
  return value >= -(2n ** 63n) && value < 2n ** 63n ? String(value) : null
}
