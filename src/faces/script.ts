// What the page says on the script's own tag.
export interface ScriptOptions {
  /** Where the sync routes live, absolute: `https://example.org/app/api/sync`. */
  readonly url: string
  /** Where the second script is, see `entry-rhtmx-lazy`. */
  readonly lazy: string
  readonly entities: readonly string[]
  readonly websocket: boolean
  /** Whether to fall back to it where event streams do not get through either. */
  readonly longPoll: boolean
  /** One of the documented words. */
  readonly strategy: string | null
  readonly debug: boolean
}

/** Null: no tag of ours is on the page. `complain` hears what is wrong with it; a wrong value never stops the script. */
export function readScript(page: Document, complain: (message: string) => void): ScriptOptions | null {
  const tag = findTag(page)
  if (tag === null) return null
  const {
    syncEntities = '',
    useWebsocket,
    longPoll,
    conflictStrategy = '',
    debug = 'false',
    syncUrl,
  } = tag.dataset
  const entities = new Set(syncEntities.split(',').map(name => name.trim()))
  entities.delete('')
  if (entities.size === 0) complain('data-sync-entities names no table')
  // the routes serve the script as `client.js`; from anywhere else, a CDN say, they are where they are by default
  const served = /\/client\.js\b/.test(tag.src)
  const at = (place: string, base: string): string => new URL(place, base).href
  const said = syncUrl !== undefined && URL.canParse(syncUrl, page.baseURI) ? syncUrl : undefined
  if (said !== syncUrl) complain(`data-sync-url="${syncUrl}" is no address`)
  const url = served && said === undefined ? at('.', tag.src) : at(said ?? '/api/sync', page.baseURI)
  // a script within the page itself came from nowhere: the routes have the second one
  const lazy = tag.src === '' ? at('lazy.js', `${url}/`) : at(served ? 'lazy.js' : 'rhtmx-lazy.js', tag.src)
  return {
    url,
    lazy,
    entities: [...entities],
    websocket: useWebsocket !== 'false',
    longPoll: longPoll === 'true',
    strategy: strategyOf(conflictStrategy, complain),
    debug: debug !== 'false',
  }
}

/** `currentScript` is null in modules and where the tag was inserted by another script. */
function findTag(page: Document): HTMLScriptElement | null {
  // reason: an SVG's script has a dataset too, and none of our attributes
  const running = page.currentScript as HTMLScriptElement | null
  if (running?.dataset['syncEntities'] !== undefined) return running
  const [client, built] = ['client.js', 'rhtmx-sync.js'].map(
    name => `script[data-sync-entities][src*="${name}"]`,
  )
  return [...page.querySelectorAll<HTMLScriptElement>(`${client},${built}`)].at(-1) ?? null
}

/** Every spelling that the server takes: `ClientWins`, `client_wins`, `client-wins`. */
function strategyOf(value: string, complain: (message: string) => void): string | null {
  const word = value
    .replace(/(?!^)[A-Z]/g, '-$&')
    .replace(/_/g, '-')
    .toLowerCase()
  if (/^((last-write|client|server)-wins|keep-both)$/.test(word)) return word
  if (value !== '') complain(`data-conflict-strategy="${value}" is unknown`)
  return null
}
