// The browser scripts, under two names each: `client.js`, asked for again each time, and `client.<hash>.js`, which never
// changes. Neighbours: `routes` before it, the files of the build behind it.
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { constants, gzip } from 'node:zlib'
import { SyncError } from '../core/index.ts'
import { acceptsGzip } from './http.ts'
import type { SyncAnswer, SyncRequest } from './http.ts'

const files = { client: 'rhtmx-sync.js', 'field-client': 'rhtmx-field-sync.js', lazy: 'rhtmx-lazy.js' }

interface Script {
  readonly text: string
  readonly packed: Buffer
  readonly hash: string
}

const scripts = new Map<keyof typeof files, Promise<Script>>()

export function noFields(): SyncError {
  return new SyncError(
    'NOT_FOUND',
    'the script of fields is served where the engine has the option fieldSync',
  )
}

/** `client.<hash>.js` */
export async function currentScript(name: keyof typeof files): Promise<string> {
  return `${name}.${(await load(name)).hash}.js`
}

/** Null: no script's name. Throws NOT_FOUND for that of fields where there are none (rule E8). */
export function answerScript(
  segment: string,
  request: SyncRequest,
  fields: boolean,
): Promise<SyncAnswer> | null {
  const [, name, hash] = /^((?:field-)?client|lazy)(?:\.([\da-f]{16}))?\.js$/.exec(segment) ?? []
  if (name === undefined) return null
  if (name === 'field-client' && !fields) throw noFields()
  // reason: as the pattern says
  return answer(name as keyof typeof files, hash ?? request.query.get('v'), request)
}

async function answer(
  name: keyof typeof files,
  wanted: string | null,
  request: SyncRequest,
): Promise<SyncAnswer> {
  const { text, packed, hash } = await load(name)
  // the parts of two releases must not meet; a client works with whatever release, and loads the part that is its own
  if (name === 'lazy' && wanted !== null && wanted !== hash)
    throw new SyncError('NOT_FOUND', `the script ${name}.${wanted}.js is of another release`)
  const small = acceptsGzip(request.header('accept-encoding'))
  const etag = small ? `"${hash}-gzip"` : `"${hash}"`
  const headers = {
    'content-type': 'text/javascript; charset=utf-8',
    'x-content-type-options': 'nosniff',
    'cache-control': wanted === hash ? 'public, max-age=31536000, immutable' : 'no-cache',
    vary: 'accept-encoding',
    etag,
  }
  if (request.header('if-none-match')?.includes(etag) === true) return { status: 304, headers, body: null }
  return small
    ? { status: 200, headers: { ...headers, 'content-encoding': 'gzip' }, body: packed }
    : { status: 200, headers, body: text }
}

/** Once per process. */
function load(name: keyof typeof files): Promise<Script> {
  let loading = scripts.get(name)
  if (loading === undefined) scripts.set(name, (loading = read(files[name])))
  return loading
}

async function read(file: string): Promise<Script> {
  const path = fileURLToPath(new URL(`../browser/${file}`, import.meta.url))
  try {
    const text = await readFile(path, 'utf8')
    const packed = await promisify(gzip)(text, { level: constants.Z_BEST_COMPRESSION })
    return { text, packed, hash: createHash('sha256').update(text).digest('hex').slice(0, 16) }
  } catch (cause) {
    throw new SyncError('NOT_FOUND', `the script ${file} is missing from this installation`, { cause })
  }
}
