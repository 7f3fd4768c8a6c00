// Clients without our client: a WebSocket, an event stream and fetch, as anybody would write them.
import { later, until } from './app.ts'

export interface Change {
  readonly entity: string
  readonly id: unknown
  readonly entity_id: string
  readonly action: string
  readonly data: Record<string, unknown> | null
  readonly version: number
  readonly prev_version: number
  readonly timestamp: number
  readonly client_id?: string
  readonly mutation_id?: string | number
}

export interface WireFrame {
  readonly type: string
  readonly entity?: string
  readonly entity_id?: string
  readonly id?: unknown
  readonly change?: Change
  readonly changes?: Change[]
  readonly version?: number
  readonly status?: string
  readonly code?: string
  readonly message?: string
  readonly has_more?: boolean
  readonly [field: string]: unknown
}

export interface Line {
  readonly frames: WireFrame[]
  send(message: unknown): void
  /** The next frame that has not been asked for and fits. */
  next(fits: (frame: WireFrame) => boolean, what?: string): Promise<WireFrame>
  changes(entity?: string): Change[]
  readonly closed: Promise<{ code: number; reason: string }>
  close(): void
}

const of = (type: string) => (frame: WireFrame) => frame.type === type
export const isType = of

export async function openLine(url: string, path = '/api/sync/ws'): Promise<Line> {
  const socket = new WebSocket(url.replace('http', 'ws') + path)
  const frames: WireFrame[] = []
  const asked = new Set<WireFrame>()
  socket.addEventListener('message', event => void frames.push(JSON.parse(String(event.data))))
  const closed = new Promise<{ code: number; reason: string }>(resolve => {
    socket.addEventListener('close', event => resolve({ code: event.code, reason: event.reason }))
  })
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve)
    socket.addEventListener('error', () => reject(new Error(`cannot connect to ${url}`)))
  })
  later(() => socket.close())
  return {
    frames,
    closed,
    send: message => socket.send(typeof message === 'string' ? message : JSON.stringify(message)),
    async next(fits, what = 'a frame') {
      const find = (): WireFrame | undefined => frames.find(frame => !asked.has(frame) && fits(frame))
      const found = await until(what, find)
      asked.add(found)
      return found
    },
    changes: entity => changesIn(frames, entity),
    close: () => socket.close(),
  }
}

export function changesIn(frames: readonly WireFrame[], entity?: string): Change[] {
  return frames.flatMap(frame =>
    frame.type === 'change' &&
    frame.change !== undefined &&
    (entity === undefined || frame.change.entity === entity)
      ? [frame.change]
      : [],
  )
}

/** Subscribed when it resolves: what is written afterwards comes. */
export async function subscribed(url: string, entities: readonly string[], path?: string): Promise<Line> {
  const line = await openLine(url, path)
  line.send({ type: 'subscribe', entities })
  await line.next(of('subscribed'))
  return line
}

export interface EventStream {
  readonly response: Response
  readonly frames: WireFrame[]
  readonly ids: string[]
  readonly text: () => string
  /** Resolves when the server ended it. */
  readonly ended: Promise<void>
  close(): void
}

export async function openStream(url: string, headers: Record<string, string> = {}): Promise<EventStream> {
  const abort = new AbortController()
  const response = await fetch(url, {
    headers: { accept: 'text/event-stream', ...headers },
    signal: abort.signal,
  })
  const frames: WireFrame[] = []
  const ids: string[] = []
  let text = ''
  let rest = ''
  const read = async (): Promise<void> => {
    if (response.body === null) return
    const decoder = new TextDecoder()
    for await (const chunk of response.body) {
      const piece = decoder.decode(chunk, { stream: true })
      text += piece
      const blocks = (rest + piece).split('\n\n')
      rest = blocks.pop() ?? ''
      for (const block of blocks) take(block)
    }
  }
  const take = (block: string): void => {
    const lines = block.split('\n')
    const data = lines.find(line => line.startsWith('data: '))
    const id = lines.find(line => line.startsWith('id: '))
    const event = lines.find(line => line.startsWith('event: '))
    if (id !== undefined) ids.push(id.slice(4))
    if (data === undefined) return
    const parsed = JSON.parse(data.slice(6)) as WireFrame
    frames.push(event === undefined ? parsed : { ...parsed, type: event.slice(7) })
  }
  const ended = read().catch(() => {})
  later(() => abort.abort())
  // the prelude comes at once; after it the stream is registered
  await until('the head of the stream', () => text.includes('retry:'))
  return { response, frames, ids, text: () => text, ended, close: () => abort.abort() }
}

export interface Pulled {
  readonly entity: string
  readonly version: number
  readonly changes: Change[]
  readonly reset?: boolean
  readonly has_more?: boolean
}

export async function pull(url: string, entity: string, since?: number | string): Promise<Pulled> {
  const query = since === undefined ? '' : `?since=${since}`
  const response = await fetch(`${url}/api/sync/${entity}${query}`)
  if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`)
  return (await response.json()) as Pulled
}

export interface PushResult {
  readonly id: unknown
  readonly entity_id: string
  readonly status: string
  readonly version: number
  readonly mutation_id?: string
  readonly error?: { readonly code: string; readonly message: string; readonly details?: unknown }
}

export async function push(
  url: string,
  entity: string,
  changes: readonly object[],
  more: object = {},
): Promise<PushResult[]> {
  const response = await post(`${url}/api/sync/${entity}`, { ...more, changes })
  const body = (await response.json()) as { results: PushResult[] }
  if (response.status !== 200) throw new Error(`${response.status} ${JSON.stringify(body)}`)
  return body.results
}

export function post(url: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
}
