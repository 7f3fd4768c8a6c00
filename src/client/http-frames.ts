// What the transports over HTTP share: frames down as lines of an event stream, frames up by POST, one at a time and in
// order. Anything that does not answer as our server would counts as no connection (rule K5).
import { bytesIn } from './bytes.ts'
import type { Connection, TransportEvents } from './transport.ts'

/** Of one POST, unless one frame alone is more: half of what the server takes. */
const postBytes = 512 * 1024

export interface Stream {
  session: string
  /** Frames that wait for the POST in flight, and their size with it. */
  readonly queue: string[]
  bytes: number
  posting: boolean
  over: boolean
  readonly abort: AbortController
  readonly events: TransportEvents
  readonly url: string
  /** Makes its requests. */
  readonly via: typeof fetch
}

/** Begins with `run`; what it throws is the end. */
export function openStream(
  url: string,
  events: TransportEvents,
  run: (stream: Stream) => Promise<void>,
  via = fetch,
): Connection {
  const stream: Stream = {
    session: '',
    queue: [],
    bytes: 0,
    posting: false,
    over: false,
    abort: new AbortController(),
    events,
    url,
    via,
  }
  run(stream).catch((error: unknown) => end(stream, 1006, String(error)))
  return {
    send(text) {
      if (stream.over) return false
      stream.queue.push(text)
      stream.bytes += text.length
      void post(stream)
      return true
    },
    buffered: () => stream.bytes,
    close() {
      stream.over = true
      stream.abort.abort()
    },
  }
}

export function end(stream: Stream, code: number, reason = '', retryAfterMs: number | null = null): void {
  if (stream.over) return
  stream.over = true
  stream.abort.abort()
  stream.events.closed(code, reason, retryAfterMs)
}

export function ask({ url, abort, via }: Stream, query: string, init: RequestInit = {}): Promise<Response> {
  return via(`${url}?${query}`, {
    // a page of another origin, which the server lets in by name, has cookies too
    credentials: 'include',
    cache: 'no-store',
    // our server sends nobody elsewhere; what logs in or sells access does
    redirect: 'error',
    signal: abort.signal,
    ...init,
  })
}

export function isOurs({ status, headers, body }: Response): boolean {
  return (
    status === 200 && body !== null && headers.get('content-type')?.startsWith('text/event-stream') === true
  )
}

/** The close code of an answer that is not what was hoped for. */
export function endWith(stream: Stream, { status, headers }: Response): void {
  const wait = Number(headers.get('retry-after') ?? Number.NaN) * 1000
  const code = status === 401 ? 4401 : status === 403 ? 4403 : status === 503 || status === 429 ? 1013 : 1006
  end(stream, code, `HTTP ${status}`, wait >= 0 ? wait : null)
}

/** Lines of an event stream: `event`, `data`, comments; an empty line ends an event. */
export function eventParser(stream: Stream): (text: string) => void {
  let rest = ''
  let event = ''
  let data: string[] = []
  return text => {
    const lines = (rest + text).split(/\r\n|\n|\r(?!$)/)
    rest = lines.pop() ?? ''
    for (const line of lines) {
      if (stream.over) return
      if (line === '') {
        if (data.length > 0) take(stream, event, data.join('\n'))
        event = ''
        data = []
      } else if (line.startsWith(':')) {
        stream.events.alive()
      } else {
        const [, name, value = ''] = /^([^:]*):? ?(.*)$/s.exec(line) ?? []
        if (name === 'event') event = value
        if (name === 'data') data.push(value)
      }
    }
  }
}

function take(stream: Stream, event: string, data: string): void {
  if (event === '' || event === 'message') return stream.events.frame(data)
  if (event !== 'session' && event !== 'close') return stream.events.alive()
  const said = parse(data)
  if (event === 'session' && typeof said['session'] === 'string') {
    stream.session = encodeURIComponent(said['session'])
    stream.events.open()
  } else {
    const { code, reason, retry_after_ms: wait } = said
    end(
      stream,
      Number(code) || 1006,
      typeof reason === 'string' ? reason : '',
      typeof wait === 'number' ? wait : null,
    )
  }
}

function parse(data: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(data)
    return typeof value === 'object' && value !== null ? { ...value } : {}
  } catch {
    return {}
  }
}

/** Takes from the queue what fits into one POST, at least one. */
function nextFrames(queue: string[]): string[] {
  let bytes = 0
  const end = queue.findIndex(text => (bytes += bytesIn(text) + 1) > postBytes)
  return queue.splice(0, end < 0 ? queue.length : Math.max(end, 1))
}

async function post(stream: Stream): Promise<void> {
  if (stream.posting) return
  stream.posting = true
  try {
    while (stream.queue.length > 0 && !stream.over) {
      const frames = nextFrames(stream.queue)
      const response = await ask(stream, `session=${stream.session}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: `[${frames.join(',')}]`,
      })
      if (response.status !== 204) endWith(stream, response)
      stream.bytes = stream.queue.reduce((sum, text) => sum + text.length, 0)
    }
  } catch (error) {
    end(stream, 1006, String(error))
  }
  stream.posting = false
}
