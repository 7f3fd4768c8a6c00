// What stands between browsers and servers at offices, hotels and hosts: it holds answers back, refuses or swallows
// upgrades, or answers everything itself.
import { createServer, request as ask } from 'node:http'
import type { IncomingMessage, Server as HttpServer, ServerResponse } from 'node:http'
import { once } from 'node:events'
import { connect } from 'node:net'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'

export class Proxy {
  /** `swallow`: let in, and nothing gets through. `hang`: no answer. */
  upgrades: 'pass' | 'refuse' | 'hang' | 'swallow' = 'pass'
  /**
   * `polite`: an answer is held back until it ends or is large, unless it says that it must not be, as nginx does it;
   * `stubborn`: until it ends, whatever it says.
   */
  buffering: 'none' | 'polite' | 'stubborn' = 'none'
  /** Asks everybody to sign in, whatever was asked for. */
  captive: 'no' | 'page' | 'redirect' = 'no'
  /** The site is below this path, and knows nothing of it. */
  prefix = ''
  /** Requests below the sync path that came here. */
  readonly requests: string[] = []
  readonly #target: number
  readonly #server: HttpServer
  readonly #sockets = new Set<Duplex>()

  private constructor(target: number) {
    this.#target = target
    this.#server = createServer((request, response) => this.#forward(request, response))
    this.#server.on('upgrade', (request: IncomingMessage, socket: Duplex) => this.#upgrade(request, socket))
    this.#server.on('connection', socket => this.#keep(socket))
  }

  static async to(target: number): Promise<Proxy> {
    const proxy = new Proxy(target)
    proxy.#server.listen(0, '127.0.0.1')
    await once(proxy.#server, 'listening')
    return proxy
  }

  get url(): string {
    // reason: a TCP server that listens has an address with a port
    return `http://localhost:${(this.#server.address() as AddressInfo).port}`
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  async close(): Promise<void> {
    this.#server.close()
    this.cut()
    await once(this.#server, 'close')
  }

  #keep(socket: Duplex): void {
    this.#sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => this.#sockets.delete(socket))
  }

  #forward(request: IncomingMessage, response: ServerResponse): void {
    const { method, headers } = request
    const url = this.#inside(request)
    if (url === null) return void response.writeHead(404).end()
    if (url.startsWith('/api/sync')) this.requests.push(`${method} ${url.replace(/session=.*/, 'session')}`)
    if (this.captive === 'redirect') return void response.writeHead(302, { location: '/login' }).end()
    if (this.captive === 'page')
      return void response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>Sign in</h1>')
    const asked = ask({ port: this.#target, host: '127.0.0.1', method, path: url, headers }, answer => {
      const held =
        this.buffering === 'stubborn' ||
        (this.buffering === 'polite' && answer.headers['x-accel-buffering'] !== 'no')
      const head = (): unknown => response.writeHead(answer.statusCode ?? 502, answer.headers)
      if (!held) {
        head()
        answer.pipe(response)
        return
      }
      const parts: Buffer[] = []
      answer.on('data', (part: Buffer) => parts.push(part))
      answer.on('end', () => {
        head()
        response.end(Buffer.concat(parts))
      })
    })
    asked.on('error', () => response.destroy())
    response.on('close', () => asked.destroy())
    request.pipe(asked)
  }

  /** As the site is asked for it; null where it is not below the prefix. */
  #inside({ url = '/' }: IncomingMessage): string | null {
    return url.startsWith(`${this.prefix}/`) ? url.slice(this.prefix.length) : null
  }

  #upgrade(request: IncomingMessage, socket: Duplex): void {
    if (this.upgrades === 'hang') return
    const url = this.#inside(request)
    if (url === null) return void socket.destroy()
    if (this.upgrades === 'refuse' || this.captive !== 'no')
      return void socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')
    const far = connect({ port: this.#target, host: '127.0.0.1' })
    this.#keep(far)
    const lines = Object.entries(request.headers).map(([name, value]) => `${name}: ${String(value)}`)
    far.write(`${request.method} ${url} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`)
    const swallow = this.upgrades === 'swallow'
    far.once('data', (head: Buffer) => {
      socket.write(head)
      if (swallow) return
      far.pipe(socket)
      socket.pipe(far)
    })
    socket.on('close', () => far.destroy())
    far.on('close', () => socket.destroy())
  }
}
