// The wire between a browser and a server, to be cut and frozen: what `setOffline` of a browser does not do to sockets
// that are open already.
import { connect, createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { once } from 'node:events'

interface Pair {
  readonly near: Socket
  readonly far: Socket
}

export class Wire {
  readonly #pairs = new Set<Pair>()
  readonly #server: Server
  #state: 'open' | 'cut' | 'frozen' = 'open'
  /** Bytes that came from the server. */
  down = 0

  private constructor(target: number) {
    this.#server = createServer({ allowHalfOpen: true }, near => this.#join(near, target))
  }

  static async to(target: number): Promise<Wire> {
    const wire = new Wire(target)
    wire.#server.listen(0, '127.0.0.1')
    await once(wire.#server, 'listening')
    return wire
  }

  get port(): number {
    // reason: a TCP server that listens has an address with a port
    return (this.#server.address() as AddressInfo).port
  }

  get url(): string {
    return `http://localhost:${this.port}`
  }

  /** Every connection dies, new ones are refused. */
  cut(): void {
    this.#state = 'cut'
    for (const { near, far } of this.#pairs) {
      near.resetAndDestroy()
      far.resetAndDestroy()
    }
  }

  /** Nothing gets through any more, and nobody is told. */
  freeze(): void {
    this.#state = 'frozen'
    for (const { near, far } of this.#pairs) {
      near.pause()
      far.pause()
    }
  }

  mend(): void {
    this.#state = 'open'
    for (const { near, far } of this.#pairs) {
      near.resume()
      far.resume()
    }
  }

  async close(): Promise<void> {
    this.cut()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #join(near: Socket, target: number): void {
    if (this.#state === 'cut') return void near.resetAndDestroy()
    const far = connect({ port: target, host: '127.0.0.1', allowHalfOpen: true })
    const pair = { near, far }
    this.#pairs.add(pair)
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.on('data', chunk => to.write(chunk))
      from.on('end', () => to.end())
      from.on('error', () => to.destroy())
      from.on('close', () => {
        to.destroy()
        this.#pairs.delete(pair)
      })
    }
    far.on('data', chunk => (this.down += chunk.length))
    if (this.#state === 'frozen') {
      near.pause()
      far.pause()
    }
  }
}
