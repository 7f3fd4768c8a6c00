// What a subscriber wants of the rows that it may see. A filter that was asked for is part of the shape that its rows
// were sent in (`EntityShape.hash`), after a bar.

/** Characters of what a client asks for of one entity: each row is matched against it. */
export const maxWhere = 16_384

/** The shape alone, whichever rows of it were wanted: schema, rights, columns. */
export function unscoped(hash: string | null): string | undefined {
  return hash?.split('|', 1)[0]
}

/** The key under which sessions with the same scopes share their frames. */
export function scopesKey(scopes: Iterable<string>): string {
  return [...scopes].sort().join(',')
}
