// What the page says on the script's own tag.

/** Each script is served under names of its own, and has an attribute of its own for the strategy. */
export interface ScriptKind {
  readonly file: RegExp
  readonly word: 'conflict' | 'field'
}

export const rowScript: ScriptKind = { file: /\/(client(\.\w+)?|rhtmx-sync)\.js\b/, word: 'conflict' }
export const fieldScript: ScriptKind = {
  file: /\/(field-client(\.\w+)?|rhtmx-field-sync)\.js\b/,
  word: 'field',
}

export interface ScriptOptions {
  /** Where the sync routes live, absolute: `https://example.org/app/api/sync`. */
  readonly url: string
  /** Where the second script is, see `entry-rhtmx-lazy`. */
  readonly lazy: string
  readonly entities: readonly string[]
  readonly websocket: boolean
  /** Whether to fall back to it where event streams do not get through either. */
  readonly longPoll: boolean
  /** What the page says of its strategy, see `strategy`; empty: nothing. */
  readonly strategyText: string
  readonly debug: boolean
  /** Elements whose `hx-get` ends in an entity's name are fetched again by themselves. */
  readonly autoRefresh: boolean
  /** Whose copy this is, where the page knows it before the server can be asked. */
  readonly user: string | null
  /** By entity: the rows that are wanted. */
  readonly where: object
  /** False where the page knows that nobody is signed in: nothing is asked of the server until `connect()`. */
  readonly autoConnect: boolean
}

/** What `rhtmxSync.init` takes: the attributes of the tag, called as `dataset` calls them. */
export interface InitOptions {
  /** With commas between, or a list. */
  readonly syncEntities: string | readonly string[]
  readonly syncUrl?: string
  readonly syncUser?: string
  /** `{"notes": {"list_id": 3}}`, as JSON or as it is: only these rows come to this device. */
  readonly syncWhere?: string | object
  readonly useWebsocket?: string | boolean
  readonly longPoll?: string | boolean
  readonly conflictStrategy?: string
  /** That of the script of fields. */
  readonly fieldStrategy?: string
  /** The script of fields: false where the page does not want the records of conflicts. */
  readonly conflicts?: string | boolean
  readonly autoRefresh?: string | boolean
  readonly debug?: string | boolean
}

/** A tag, as far as it says something. */
export interface Tag {
  readonly src: string
  readonly dataset: Partial<InitOptions>
}

/**
 * `release` is the hash of the second script that belongs to this one. `complain` hears what is wrong with the tag; a
 * wrong value never stops the script.
 */
export function optionsOf(
  { src, dataset }: Tag,
  page: Document,
  release: string,
  complain: (message: string) => void,
  { word }: ScriptKind,
): ScriptOptions {
  const {
    syncEntities = '',
    useWebsocket,
    longPoll,
    autoRefresh,
    debug,
    syncUrl,
    syncUser,
    syncWhere = {},
  } = dataset
  const entities = String(syncEntities).match(/[^\s,]+/g) ?? []
  if (entities.length === 0) complain('data-sync-entities names no table')
  // from anywhere but the routes, a CDN say, they are where they are by default
  const served = /\/(field-)?client(\.\w+)?\.js\b/.test(src)
  const said = syncUrl !== undefined && URL.canParse(syncUrl, page.baseURI) ? syncUrl : undefined
  if (said !== syncUrl) complain(`data-sync-url="${syncUrl}" is no address`)
  const at = (place: string, base = page.baseURI): string => new URL(place, base).href
  const url = at(said ?? (served ? at('.', src) : '/api/sync'))
  const lazy = `lazy.${release}.js`
  return {
    url,
    // under the name that only its own release serves; a script within the page itself came from nowhere
    lazy: src === '' ? at(lazy, `${url}/`) : at(served ? lazy : `rhtmx-lazy.js?v=${release}`, src),
    entities: [...new Set(entities)],
    websocket: String(useWebsocket) !== 'false',
    longPoll: String(longPoll) === 'true',
    strategyText: dataset[`${word}Strategy`] ?? '',
    debug: String(debug ?? 'false') !== 'false',
    autoRefresh: String(autoRefresh) === 'true',
    user: syncUser || null,
    where: whereOf(syncWhere, complain),
    autoConnect: syncUser !== '',
  }
}

function whereOf(value: string | object, complain: (message: string) => void): object {
  if (typeof value === 'object') return value
  try {
    return JSON.parse(value) as object // reason: the server says what is no filter
  } catch {
    complain(`data-sync-where="${value}" is no JSON`)
    return {}
  }
}

/** `currentScript` is null in modules and where the tag was inserted by another script. Null: none is ours. */
export function findTag(page: Document, { file }: ScriptKind): HTMLScriptElement | null {
  // reason: an SVG's script has a dataset too, and none of our attributes
  const running = page.currentScript as HTMLScriptElement | null
  if (running?.dataset['syncEntities'] !== undefined) return running
  const tags = page.querySelectorAll<HTMLScriptElement>('script[data-sync-entities]')
  return [...tags].findLast(({ src }) => file.test(src)) ?? null
}
