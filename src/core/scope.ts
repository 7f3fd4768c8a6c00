// What a subscriber wants and may see. Today a scope is a whole entity; filters join here and nowhere else.

export interface Scope {
  readonly entity: string
}

/** The key under which sessions with the same scopes share their frames. */
export function scopesKey(scopes: Iterable<string>): string {
  return [...scopes].sort().join(',')
}
