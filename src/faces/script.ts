// What the page says on the script's own tag.
import { parseStrategy } from '../core/index.ts'
import type { FieldMergeStrategy } from '../core/index.ts'

export interface ScriptOptions {
  /** Where the sync routes live, absolute: `https://example.org/app/api/sync`. */
  readonly url: string
  readonly entities: readonly string[]
  readonly websocket: boolean
  readonly strategy: FieldMergeStrategy | null
  readonly debug: boolean
}

/** Null: no tag of ours is on the page. `complain` hears what is wrong with it; a wrong value never stops the script. */
export function readScript(page: Document, complain: (message: string) => void): ScriptOptions | null {
  const tag = findTag(page)
  if (tag === null) return null
  const { syncEntities = '', useWebsocket, conflictStrategy, debug, syncUrl } = tag.dataset
  const names = syncEntities.split(',').map(name => name.trim())
  const entities = [...new Set(names.filter(name => name !== ''))]
  if (entities.length === 0) complain('name the tables to sync: data-sync-entities="users,posts"')
  return {
    url: baseOf(tag.src, syncUrl, page.baseURI),
    entities,
    websocket: !isFalse(useWebsocket),
    strategy: strategyOf(conflictStrategy, complain),
    debug: debug !== undefined && !isFalse(debug),
  }
}

/** `currentScript` is null in modules and where the tag was inserted by another script. */
function findTag(page: Document): HTMLScriptElement | null {
  const running = page.currentScript
  if (running instanceof HTMLScriptElement && running.dataset['syncEntities'] !== undefined) return running
  const tags = [...page.querySelectorAll<HTMLScriptElement>('script[data-sync-entities]')]
  const ours = tags.filter(tag => /(?:^|\/)(?:client|rhtmx-sync)\.js$/.test(withoutQuery(tag.src)))
  return ours.at(-1) ?? null
}

/** The routes serve the script as `<base>/client.js`; from anywhere else, a CDN say, they are where they are by default. */
function baseOf(src: string, given: string | undefined, page: string): string {
  if (given !== undefined && given !== '') return new URL(given, page).href.replace(/\/+$/, '')
  const own = withoutQuery(src)
  return own.endsWith('/client.js') ? own.slice(0, -'/client.js'.length) : new URL('/api/sync', page).href
}

function strategyOf(
  value: string | undefined,
  complain: (message: string) => void,
): FieldMergeStrategy | null {
  if (value === undefined || value === '') return null
  try {
    return parseStrategy(value)
  } catch {
    complain(`data-conflict-strategy="${value}" is unknown; the server's own rule is used`)
    return null
  }
}

const withoutQuery = (address: string): string => address.replace(/[?#].*$/, '')
const isFalse = (value: string | undefined): boolean => value?.trim().toLowerCase() === 'false'
