import { expect, test } from 'vitest'
import type { TransportEvents } from '../client/index.ts'
import { Frame } from '../server/index.ts'
import type { Peer } from '../server/index.ts'
import { Network } from './network.ts'
import type { Line } from './network.ts'
import { seededRandom } from './random.ts'
import { virtualTime } from './time.ts'
import type { VirtualTime } from './time.ts'

interface Ends {
  readonly time: VirtualTime
  readonly network: Network
  readonly line: Line
  readonly log: string[]
  readonly peer: () => Peer
  readonly send: (text: string) => boolean
}

async function connected(seed = 1): Promise<Ends> {
  const random = seededRandom(seed)
  const time = virtualTime(random)
  const network = new Network({ time, random })
  const log: string[] = []
  let peer: Peer | null = null
  const server = {
    connect(given: Peer) {
      peer = given
      return {
        frame: (text: string) => log.push(`up ${text}`),
        drained: () => log.push('drained'),
        alive: () => log.push('alive'),
        closed: () => log.push('server closed'),
      }
    },
  }
  const events: TransportEvents = {
    open: () => log.push('open'),
    frame: text => log.push(`down ${text}`),
    alive: () => log.push('client alive'),
    closed: code => log.push(`client closed ${code}`),
  }
  const connection = network
    .transport({ kind: 'websocket', owner: 'b', server: () => server })
    .connect(events)
  await time.run(100)
  const [line] = network.lines
  if (line === undefined) throw new Error('no line')
  return {
    time,
    network,
    line,
    log,
    peer: () => peer as unknown as Peer,
    send: text => connection.send(text),
  } // reason: the server was asked by now
}

test('frames arrive in order, later, both ways', async () => {
  const { time, log, peer, send } = await connected()
  for (let i = 0; i < 20; i++) send(`${i}`)
  peer().write(Array.from({ length: 20 }, (_, i) => new Frame(`${i}`)))
  expect(log).toEqual(['open'])
  expect(peer().buffered()).toBeGreaterThan(0)
  await time.run(1000)
  const order = Array.from({ length: 20 }, (_, i) => String(i))
  expect(log.filter(line => line.startsWith('up')).map(line => line.slice(3))).toEqual(order)
  expect(log.filter(line => line.startsWith('down')).map(line => line.slice(5))).toEqual(order)
  expect(log.includes('drained')).toBe(true)
  peer().probe()
  await time.run(100)
  expect(log.at(-1)).toBe('alive')
})

test('a cut loses what is on its way and tells both ends', async () => {
  const { time, log, line, peer, send, network } = await connected()
  send('lost')
  peer().write([new Frame('lost')])
  line.cut()
  await time.run(100)
  expect(log.slice(1).sort()).toEqual(['client closed 1006', 'server closed'])
  expect([send('more'), network.lines.size]).toEqual([false, 0])
})

test('a frozen line says nothing to anybody, and thaws', async () => {
  const { time, log, line, peer, send } = await connected()
  line.freeze()
  send('a')
  peer().write([new Frame('b')])
  await time.run(3_600_000)
  expect(log).toEqual(['open'])
  line.thaw()
  await time.run(1)
  expect(log.slice(1).sort()).toEqual(['down b', 'drained', 'up a'])
})

test('a half-open line still brings what the client had sent', async () => {
  const { time, log, line, send } = await connected()
  send('late')
  line.halfOpen()
  await time.run(100)
  expect(log.slice(1)).toEqual(['client closed 1006', 'up late'])
})

test('ends die: of the server the client is told, of the client the server only where somebody tells it', async () => {
  const died = await connected()
  died.line.serverDied()
  await died.time.run(100)
  expect(died.log.slice(1)).toEqual(['client closed 1006'])
  const told = await connected()
  told.line.clientDied(true)
  await told.time.run(100)
  expect(told.log.slice(1)).toEqual(['server closed'])
  const silent = await connected()
  silent.line.clientDied(false)
  await silent.time.run(1000)
  expect(silent.log.slice(1)).toEqual([])
})

test('where nobody answers the client is told so', async () => {
  const random = seededRandom(1)
  const time = virtualTime(random)
  const network = new Network({ time, random })
  const codes: number[] = []
  const events: TransportEvents = { open() {}, frame() {}, alive() {}, closed: code => codes.push(code) }
  network.transport({ kind: 'sse', owner: 'b', server: () => null }).connect(events)
  network.reachable = () => false
  network
    .transport({
      kind: 'sse',
      owner: 'b',
      server: () => ({
        connect: () => {
          throw new Error('unreachable')
        },
      }),
    })
    .connect(events)
  await time.run(100)
  expect([codes, network.lines.size]).toEqual([[1006, 1006], 0])
})
