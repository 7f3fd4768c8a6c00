// Making SQL text: quoting, joining, and cutting an index definition into its terms.

export function name(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`
}

export function literal(value: string): string {
  return `'${value.replaceAll("'", "''")}'`
}

/** `a||b||c` as a balanced tree: SQLite's parser allows a depth of 1,000, a table 2,000 columns. */
export function concat(parts: readonly string[]): string {
  if (parts.length === 0) return "''"
  if (parts.length <= 8) return parts.join('||')
  const middle = parts.length >>> 1
  return `(${concat(parts.slice(0, middle))})||(${concat(parts.slice(middle))})`
}

/**
 * A limit that is bound. SQLite (from 3.47) plans for the value of a bare `LIMIT ?` and prepares the statement anew at
 * every binding, which costs several times what running it does.
 */
export const boundLimit = 'LIMIT ?+0'

export interface IndexText {
  /** The terms between the parentheses, verbatim but for a trailing ASC or DESC. */
  readonly terms: readonly string[]
  /** What follows WHERE; null for a full index. */
  readonly where: string | null
}

/** Takes `CREATE UNIQUE INDEX i ON t (a, lower(b)) WHERE c` apart; null where it looks otherwise. */
export function parseIndex(sql: string): IndexText | null {
  const open = topLevel(sql, 0).find(({ char }) => char === '(')
  if (open === undefined) return null
  const terms: string[] = []
  let start = open.at + 1
  for (const { char, at } of topLevel(sql, start)) {
    if (char !== ',' && char !== ')') continue
    terms.push(
      sql
        .slice(start, at)
        .trim()
        .replace(/\s+(asc|desc)$/i, ''),
    )
    start = at + 1
    if (char === ')') break
  }
  const where = /^\s*where\s+([^]*)$/i.exec(stripComments(sql.slice(start)))
  return { terms, where: where === null ? null : (where[1] ?? '').trim() }
}

interface Mark {
  readonly char: string
  readonly at: number
}

/** Commas, the first opening and the closing parenthesis of the level at which `from` lies. */
function topLevel(sql: string, from: number): Mark[] {
  const marks: Mark[] = []
  let depth = 0
  for (let i = from; i < sql.length; i++) {
    const char = sql.charAt(i)
    const end = endOfQuoted(sql, i)
    if (end > i) i = end
    else if (char === '(') {
      if (depth === 0) marks.push({ char, at: i })
      depth++
    } else if (char === ')') {
      if (depth === 0) return [...marks, { char, at: i }]
      depth--
    } else if (char === ',' && depth === 0) marks.push({ char, at: i })
  }
  return marks
}

/** The last character of the string, quoted name or comment that begins at `i`; `i` where none does. */
function endOfQuoted(sql: string, i: number): number {
  const char = sql.charAt(i)
  if (char === "'" || char === '"' || char === '`') {
    for (let end = i + 1; end < sql.length; end++) {
      if (sql.charAt(end) !== char) continue
      if (sql.charAt(end + 1) !== char) return end
      end++
    }
    return sql.length
  }
  const close = char === '[' ? ']' : sql.startsWith('--', i) ? '\n' : sql.startsWith('/*', i) ? '*/' : null
  if (close === null) return i
  const end = sql.indexOf(close, i + 1)
  return end === -1 ? sql.length : end + close.length - 1
}

function stripComments(sql: string): string {
  let kept = ''
  for (let i = 0; i < sql.length; i++) {
    const end = endOfQuoted(sql, i)
    const comment = sql.startsWith('--', i) || sql.startsWith('/*', i)
    if (!comment) kept += sql.slice(i, end + 1)
    i = end
  }
  return kept
}
