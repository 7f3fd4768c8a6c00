import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { WebSocketServer } from 'ws'
import { longPollTransport } from './transport-long-poll.ts'
import { sseTransport } from './transport-sse.ts'
import { absolute, webSocketTransport } from './transport-websocket.ts'
import type { Connection, Transport } from './transport.ts'

const open: (Server | WebSocketServer)[] = []
const connections: Connection[] = []

afterEach(() => {
  for (const connection of connections.splice(0)) connection.close(1000, '')
  for (const server of open.splice(0)) {
    if ('closeAllConnections' in server) server.closeAllConnections()
    server.close()
  }
})

async function serve(
  handle: (request: IncomingMessage, response: ServerResponse, body: string) => void,
): Promise<{ url: string; server: Server }> {
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', part => (body += String(part)))
    request.on('end', () => handle(request, response, body))
  })
  open.push(server)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/sync`, server }
}

function connect(transport: Transport) {
  const log: string[] = []
  const connection = transport.connect({
    open: () => log.push('open'),
    frame: text => log.push(`frame ${text}`),
    alive: () => log.push('alive'),
    closed: (code, reason, wait) => log.push(`closed ${code} ${reason} ${wait}`),
  })
  connections.push(connection)
  return { log, connection }
}

describe('websocket', () => {
  async function listen() {
    const { url, server } = await serve((_request, response) => response.end())
    const sockets = new WebSocketServer({ server })
    open.push(sockets)
    return { url, sockets }
  }

  test('frames both ways, and the close code with its pause', async () => {
    const { url, sockets } = await listen()
    const seen: string[] = []
    sockets.on('connection', (socket, request) => {
      seen.push(request.url ?? '')
      socket.on('message', (data: Buffer) => {
        seen.push(data.toString())
        socket.send('{"type":"pong"}')
        socket.close(1013, 'overloaded retry_after_ms=1500')
      })
    })
    const { log, connection } = connect(webSocketTransport(url))
    expect(connection.send('early')).toBe(false)
    await vi.waitFor(() => expect(log).toEqual(['open']))
    expect(connection.send('{"type":"ping"}')).toBe(true)
    await vi.waitFor(() =>
      expect(log).toEqual([
        'open',
        'frame {"type":"pong"}',
        'closed 1013 overloaded retry_after_ms=1500 1500',
      ]),
    )
    expect(seen).toEqual(['/api/sync/ws', '{"type":"ping"}'])
    expect(connection.send('late')).toBe(false)
  })

  test('nobody there is 1006, no WebSocket at all is 0', async () => {
    const { log } = connect(webSocketTransport('http://127.0.0.1:1/x'))
    await vi.waitFor(() => expect(log).toHaveLength(1))
    expect(log[0]).toMatch(/^closed 1006/)
    vi.stubGlobal('WebSocket', undefined)
    const without = connect(webSocketTransport('http://127.0.0.1:1/x'))
    vi.unstubAllGlobals()
    expect(without.log).toEqual([])
    await vi.waitFor(() => expect(without.log).toEqual(['closed 0  null']))
  })

  test('after close comes no event', async () => {
    const { url } = await listen()
    const { log, connection } = connect(webSocketTransport(url))
    await vi.waitFor(() => expect(log).toEqual(['open']))
    connection.close(1000, 'bye')
    connection.close(1000, 'bye')
    await new Promise(resolve => setTimeout(resolve, 50))
    expect(log).toEqual(['open'])
  })

  test('addresses are relative to the page', () => {
    vi.stubGlobal('location', { href: 'https://example.org/app/page?x=1' })
    expect(absolute('/api/sync/')).toBe('https://example.org/api/sync')
    expect(absolute('https://other.org/s')).toBe('https://other.org/s')
    vi.unstubAllGlobals()
  })
})

describe('event stream', () => {
  const session = 'event: session\ndata: {"session":"s/1"}\n\n'

  test('the session, frames, comments, and the announced end', async () => {
    let stream: ServerResponse | undefined
    let asked = ''
    const { url } = await serve((request, response) => {
      asked = `${request.url} ${request.headers.accept}`
      stream = response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' })
      response.write(': hi\n\n')
    })
    const { log } = connect(sseTransport(url))
    await vi.waitFor(() => expect(log).toEqual(['alive', 'alive']))
    expect(asked).toBe('/api/sync/events?protocol=1&stream=canonical text/event-stream')
    stream?.write(`retry: 100\n${session}`)
    await vi.waitFor(() => expect(log).toEqual(['alive', 'alive', 'open']))
    stream?.write('data: {"a":\r')
    await new Promise(resolve => setTimeout(resolve, 20))
    stream?.write('\ndata: "ü"}\r\n\r\nid: 7\ndata:x\n\n')
    await vi.waitFor(() => expect(log.slice(3)).toEqual(['frame {"a":\n"ü"}', 'frame x']))
    stream?.write('event: close\ndata: {"code":1012,"reason":"restart","retry_after_ms":300}\n\n')
    await vi.waitFor(() => expect(log.at(-1)).toBe('closed 1012 restart 300'))
  })

  test('frames go up in order, one POST at a time', async () => {
    const posts: string[] = []
    let flying = 0
    let most = 0
    const { url } = await serve((request, response, body) => {
      if (request.method === 'GET') {
        response.writeHead(200, { 'content-type': 'text/event-stream' }).write(session)
        return
      }
      posts.push(`${request.url} ${request.headers['content-type']} ${body}`)
      flying += 1
      most = Math.max(most, flying)
      setTimeout(() => {
        flying -= 1
        response.writeHead(204).end()
      }, 20)
    })
    const { log, connection } = connect(sseTransport(url))
    await vi.waitFor(() => expect(log).toEqual(['alive', 'open']))
    for (const n of [1, 2, 3]) connection.send(`{"n":${n}}`)
    expect(connection.buffered()).toBe(21)
    await vi.waitFor(() => expect(posts).toHaveLength(2))
    await vi.waitFor(() => expect(connection.buffered()).toBe(0))
    expect(posts).toEqual([
      '/api/sync/events?session=s%2F1 application/json [{"n":1}]',
      '/api/sync/events?session=s%2F1 application/json [{"n":2},{"n":3}]',
    ])
    expect(most).toBe(1)
  })

  test('an outbox of megabytes goes in POSTs that the server takes, one frame at least', async () => {
    const sizes: number[] = []
    const { url } = await serve((request, response, body) => {
      if (request.method === 'GET') {
        response.writeHead(200, { 'content-type': 'text/event-stream' }).write(session)
        return
      }
      sizes.push(Buffer.byteLength(body))
      response.writeHead(204).end()
    })
    const { log, connection } = connect(sseTransport(url))
    await vi.waitFor(() => expect(log).toEqual(['alive', 'open']))
    const frame = JSON.stringify('я'.repeat(100_000))
    for (let i = 0; i < 7; i++) connection.send(frame)
    connection.send(JSON.stringify('x'.repeat(600_000)))
    await vi.waitFor(() => expect(connection.buffered()).toBe(0))
    expect(sizes.map(size => Math.floor(size / 100_000))).toEqual([2, 4, 4, 4, 6])
  })

  test('[K4] [K5] answers that are not ours are no connection; refusals keep their meaning', async () => {
    const answers: [number, Record<string, string>, string][] = [
      [200, { 'content-type': 'text/html' }, 'closed 1006 HTTP 200 null'],
      [204, {}, 'closed 1006 HTTP 204 null'],
      [401, {}, 'closed 4401 HTTP 401 null'],
      [403, {}, 'closed 4403 HTTP 403 null'],
      [500, {}, 'closed 1006 HTTP 500 null'],
      [503, { 'retry-after': '2' }, 'closed 1013 HTTP 503 2000'],
    ]
    for (const [status, headers, expected] of answers) {
      const { url } = await serve((_request, response) => response.writeHead(status, headers).end('<html>'))
      const { log } = connect(sseTransport(url))
      await vi.waitFor(() => expect(log).toEqual([expected]))
    }
  })

  test('[K5] X34 who is sent elsewhere has not reached us', async () => {
    const { url } = await serve((request, response) => {
      if (request.url === '/login') response.end('<h1>Sign in</h1>')
      else response.writeHead(302, { location: '/login' }).end()
    })
    for (const transport of [sseTransport, longPollTransport]) {
      const { log } = connect(transport(url))
      await vi.waitFor(() => expect(log).toHaveLength(1))
      expect(log[0]).toMatch(/^closed 1006/)
    }
  })

  test('[K5] long-poll answers that say nothing are not ours: nobody is asked again and again', async () => {
    let asked = 0
    const { url } = await serve((_request, response) => {
      asked += 1
      response.writeHead(200, { 'content-type': 'text/event-stream' }).end()
    })
    const { log } = connect(longPollTransport(url))
    await vi.waitFor(() => expect(log).toEqual(['closed 1006 HTTP 200 null']))
    expect(asked).toBe(1)
  })

  test('X40 a POST that is refused ends the connection, with the pause that the server asks for', async () => {
    for (const [status, expected] of [
      [410, 'closed 1006 HTTP 410 null'],
      [401, 'closed 4401 HTTP 401 null'],
      [200, 'closed 1006 HTTP 200 null'],
      [503, 'closed 1013 HTTP 503 7000'],
      [429, 'closed 1013 HTTP 429 7000'],
    ] as const) {
      const { url } = await serve((request, response) => {
        if (request.method === 'GET')
          response.writeHead(200, { 'content-type': 'text/event-stream' }).write(session)
        else
          response
            .writeHead(status, { 'content-type': 'text/html', ...(status > 420 && { 'retry-after': '7' }) })
            .end('x')
      })
      const { log, connection } = connect(sseTransport(url))
      await vi.waitFor(() => expect(log).toEqual(['alive', 'open']))
      connection.send('{}')
      await vi.waitFor(() => expect(log).toEqual(['alive', 'open', expected]))
      expect(connection.send('{}')).toBe(false)
    }
  })

  test('a cut stream is 1006; after close comes no event', async () => {
    let stream: ServerResponse | undefined
    const { url } = await serve((_request, response) => {
      stream = response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write(session)
    })
    const cut = connect(sseTransport(url))
    await vi.waitFor(() => expect(cut.log).toEqual(['alive', 'open']))
    stream?.destroy()
    await vi.waitFor(() => expect(cut.log.at(-1)).toMatch(/^closed 1006/))
    const closed = connect(sseTransport(url))
    await vi.waitFor(() => expect(closed.log).toEqual(['alive', 'open']))
    closed.connection.close(1000, '')
    stream?.end()
    await new Promise(resolve => setTimeout(resolve, 50))
    expect(closed.log).toEqual(['alive', 'open'])
  })
})
