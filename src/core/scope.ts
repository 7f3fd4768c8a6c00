// What a subscriber wants of the rows that it may see. A filter that was asked for is part of the shape that its rows
// were sent in (`EntityShape.hash`), after a bar.

/** Characters of what a client asks for of one entity: each row is matched against it. */
export const maxWhere = 16_384

/** Rows of a window. */
export const maxLimit = 1_000

/** `text`: of the filter; empty: every row is wanted. */
export function scoped(hash: string, text: string): string {
  return text === '' ? hash : `${hash}|${text}`
}

/** The filter's text; empty where every row was wanted. */
export function textIn(hash: string): string {
  const bar = hash.indexOf('|')
  return bar < 0 ? '' : hash.slice(bar + 1)
}

/** The shape alone, whichever rows of it were wanted: schema, rights, columns. */
export function unscoped(hash: string | null): string | undefined {
  return hash?.split('|', 1)[0]
}

/** The key under which sessions with the same scopes share their frames. */
export function scopesKey(scopes: Iterable<string>): string {
  return [...scopes].sort().join(',')
}
