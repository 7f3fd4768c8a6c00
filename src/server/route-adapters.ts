// Node requests and fetch requests as SyncRequest, and answers back.
import { EventEmitter } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip, gzipSync } from 'node:zlib'
import { SyncError } from '../core/index.ts'
import { authRequest } from './auth-request.ts'
import type { StreamSink } from './event-stream.ts'
import { acceptsGzip, compressAtOnce, compressFrom, errorAnswer, segmentsBelow } from './http.ts'
import type { StreamEnds, SyncAnswer, SyncRequest } from './http.ts'
import type { Answerer, Door } from './routes.ts'

type Middleware = (request: IncomingMessage, response: ServerResponse, next?: () => void) => void

export function nodeAdapter(doors: readonly Door[]): Middleware {
  return (request, response, next) => {
    // Express strips the mount path from url; originalUrl has it
    const target =
      'originalUrl' in request && typeof request.originalUrl === 'string'
        ? request.originalUrl
        : (request.url ?? '/')
    // by hand: URL throws for targets that anybody can send, like `//`
    const [path = '', query = ''] = target.replace(/#.*$/, '').split(/\?(.*)/s)
    let found: Found | null
    try {
      found = find(doors, path)
    } catch (error) {
      return void respond(response, request, errorAnswer(error))
    }
    if (found === null) return next === undefined ? unclaimed(request, response) : next()
    void found
      .answer(nodeRequest(request, target, found.segments, new URLSearchParams(query)))
      .then(result => respond(response, request, result))
      .catch((error: unknown) => {
        // a stream that could not be opened is still answered; an answer that broke off cannot be
        if (response.headersSent) response.destroy()
        else void respond(response, request, errorAnswer(error))
      })
  }
}

interface Found {
  readonly answer: Answerer
  readonly segments: readonly string[]
}

/** The door that a path is below, and what is asked there. Throws NOT_FOUND for broken escapes. */
function find(doors: readonly Door[], path: string): Found | null {
  for (const { base, answer } of doors) {
    const segments = segmentsBelow(base, path)
    if (segments !== null) return { answer, segments }
  }
  return null
}

/** Somebody else on the same server may answer it; if there is nobody, it must not wait for ever. */
function unclaimed(request: IncomingMessage, response: ServerResponse): void {
  const server: unknown = Reflect.get(request.socket, 'server')
  if (!(server instanceof EventEmitter) || server.listenerCount('request') > 1) return
  void respond(response, request, errorAnswer(new SyncError('NOT_FOUND', 'there is nothing at this path')))
}

function nodeRequest(
  request: IncomingMessage,
  target: string,
  segments: readonly string[],
  query: URLSearchParams,
): SyncRequest {
  return {
    method: request.method ?? 'GET',
    segments,
    query,
    address: request.socket.remoteAddress,
    header: name => {
      const value = request.headers[name]
      return Array.isArray(value) ? value[0] : value
    },
    asked: () => authRequest(request, target),
    async text(limit, held) {
      // a body parser of the application may have read the body already
      if ('body' in request && request.body !== undefined) {
        return typeof request.body === 'string' ? request.body : JSON.stringify(request.body)
      }
      return readText(request, limit, held)
    },
  }
}

async function readText(
  body: AsyncIterable<Uint8Array>,
  limit: number,
  held: (bytes: number) => void,
): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body) {
    size += chunk.length
    // what is too large is still read to its end, so that the sender hears the answer
    if (size <= limit) {
      chunks.push(chunk)
      held(size)
    } else if (size > limit * 16) break
  }
  if (size > limit)
    throw new SyncError(
      'PAYLOAD_TOO_LARGE',
      `the body may have at most ${limit} bytes; send fewer changes at once`,
    )
  return Buffer.concat(chunks).toString('utf8')
}

function isPacked({ headers }: SyncAnswer): boolean {
  return headers['content-encoding'] !== undefined
}

/** What takes long to compress becomes a stream, whose compression leaves the event loop alone. */
function inPieces(body: SyncAnswer['body']): SyncAnswer['body'] {
  if (body === null || (typeof body !== 'string' && !Buffer.isBuffer(body))) return body
  const bytes = Buffer.from(body)
  return bytes.length > compressAtOnce ? Readable.from([bytes]) : bytes
}

async function respond(
  response: ServerResponse,
  request: IncomingMessage,
  result: SyncAnswer,
): Promise<void> {
  if (result.stream !== undefined && request.method !== 'HEAD')
    return openStream(response, request, result, result.stream)
  const gzip = !isPacked(result) && acceptsGzip(request.headers['accept-encoding'])
  const body = gzip ? inPieces(result.body) : result.body
  if (body === null || request.method === 'HEAD') {
    response.writeHead(result.status, result.headers).end()
  } else if (typeof body === 'string' || Buffer.isBuffer(body)) {
    const bytes = Buffer.from(body)
    const packed = gzip && bytes.length >= compressFrom
    response.writeHead(
      result.status,
      packed ? { ...result.headers, 'content-encoding': 'gzip', vary: 'accept-encoding' } : result.headers,
    )
    response.end(packed ? gzipSync(bytes, { level: 1 }) : bytes)
  } else {
    response.writeHead(
      result.status,
      gzip ? { ...result.headers, 'content-encoding': 'gzip', vary: 'accept-encoding' } : result.headers,
    )
    const source = Readable.from(body)
    await (gzip ? pipeline(source, createGzip({ level: 1 }), response) : pipeline(source, response))
  }
}

function openStream(
  response: ServerResponse,
  request: IncomingMessage,
  result: SyncAnswer,
  open: (sink: StreamSink) => StreamEnds,
): void {
  let ends: StreamEnds | null = null
  // with the first bytes, because `open` may throw and then another status is answered
  const begin = (): void => {
    response.writeHead(result.status, result.headers)
    request.socket.setNoDelay(true)
    request.socket.setTimeout(0)
    response.flushHeaders()
  }
  ends = open({
    write(bytes) {
      if (response.writableEnded) return
      if (!response.headersSent) begin()
      response.write(bytes)
    },
    buffered: () => response.writableLength,
    end() {
      response.end()
      // now, not when the last byte is taken: what is sent up meanwhile must not vanish
      ends?.closed()
    },
  })
  response.on('drain', () => ends.drained())
  response.on('close', () => ends.closed())
  response.on('error', () => ends.closed())
}

export function fetchAdapter(doors: readonly Door[]): (request: Request) => Promise<Response | undefined> {
  return async request => {
    const url = new URL(request.url)
    try {
      const found = find(doors, url.pathname)
      if (found === null) return undefined
      const { answer, segments } = found
      return webResponse(request, await answer(webRequest(request, segments, url.searchParams)))
    } catch (error) {
      // also of a stream that could not be opened
      return webResponse(request, errorAnswer(error))
    }
  }
}

function webRequest(request: Request, segments: readonly string[], query: URLSearchParams): SyncRequest {
  return {
    method: request.method,
    segments,
    query,
    // a Request that was made by hand has no Host
    header: name => request.headers.get(name) ?? (name === 'host' ? new URL(request.url).host : undefined),
    asked: () => ({ headers: withHost(request), url: new URL(request.url) }),
    text: (limit, held) =>
      request.body === null ? Promise.resolve('') : readText(request.body, limit, held),
  }
}

/** Those who are asked may want to know under which name they are. */
function withHost({ headers, url }: Request): Headers {
  if (headers.has('host')) return headers
  const all = new Headers(headers)
  all.set('host', new URL(url).host)
  return all
}

function webResponse(request: Request, result: SyncAnswer): Response {
  const { status, headers, stream } = result
  if (stream !== undefined && request.method !== 'HEAD')
    return new Response(webStream(stream), { status, headers })
  const gzip = !isPacked(result) && acceptsGzip(request.headers.get('accept-encoding') ?? undefined)
  const body = gzip ? inPieces(result.body) : result.body
  if (body === null || request.method === 'HEAD') return new Response(null, { status, headers })
  const packedHeaders = { ...headers, 'content-encoding': 'gzip', vary: 'accept-encoding' }
  if (typeof body === 'string' || Buffer.isBuffer(body)) {
    const bytes = Buffer.from(body)
    if (!gzip || bytes.length < compressFrom) return new Response(new Uint8Array(bytes), { status, headers })
    return new Response(new Uint8Array(gzipSync(bytes, { level: 1 })), { status, headers: packedHeaders })
  }
  const source = Readable.from(body)
  const piped = gzip ? source.pipe(createGzip({ level: 1 })) : source.map((text: string) => Buffer.from(text))
  if (gzip) source.on('error', error => piped.destroy(error))
  // reason: Node types its web streams apart from the global ones; at run time they are the same
  return new Response(Readable.toWeb(piped) as ReadableStream<Uint8Array>, {
    status,
    headers: gzip ? packedHeaders : headers,
  })
}

function webStream(open: (sink: StreamSink) => StreamEnds): ReadableStream<Uint8Array> {
  let ends: StreamEnds | undefined
  let queued = 0
  let ended = false
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        ends = open({
          write(bytes) {
            if (ended) return
            controller.enqueue(new Uint8Array(bytes))
            queued = Math.max(0, -(controller.desiredSize ?? 0))
          },
          buffered: () => queued,
          end() {
            if (ended) return
            ended = true
            controller.close()
            // nobody cancels a stream that has ended
            ends?.closed()
          },
        })
      },
      pull(controller) {
        queued = Math.max(0, -(controller.desiredSize ?? 0))
        ends?.drained()
      },
      cancel() {
        ended = true
        ends?.closed()
      },
    },
    new ByteLengthQueuingStrategy({ highWaterMark: 64 * 1024 }),
  )
}
