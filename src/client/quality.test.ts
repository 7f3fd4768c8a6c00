import { describe, expect, test } from 'vitest'
import { FakeEnv } from '../testing/fake-env.ts'
import { measured, Quality } from './index.ts'
import type { Transport, TransportEvents } from './index.ts'

const ping = '{"type":"ping"}'
const pong = '{"type":"pong","server_time":1}'

function rig() {
  const env = Object.assign(new FakeEnv(), { seen: true, visible: (): boolean => env.seen })
  let changes = 0
  const quality = new Quality(env, () => (changes += 1))
  let inner: TransportEvents | null = null
  const transport: Transport = {
    name: 'local',
    connect(events) {
      inner = events
      return { send: text => text !== 'refused', buffered: () => 0, close() {} }
    },
  }
  const heard: string[] = []
  const connection = measured(transport, quality).connect({
    open: () => heard.push('open'),
    frame: text => heard.push(text),
    alive: () => heard.push('alive'),
    closed: code => heard.push(`closed ${code}`),
  })
  const wire = inner as unknown as TransportEvents
  wire.open()
  const round = (ms: number): void => {
    connection.send(ping)
    env.time += ms
    wire.frame(pong)
  }
  return { env, quality, connection, wire, heard, round, changes: () => changes }
}

describe('[W10] quality', () => {
  test('X73 without a sample nothing is wrong, and nothing is divided by zero', () => {
    const { quality } = rig()
    expect(quality.metrics).toEqual({
      qualityScore: 100,
      latency: 0,
      packetLoss: 0,
      jitter: 0,
      connectionStability: 1,
    })
  })

  test('latency and jitter are of the pings, and a slow or unsteady line costs score', () => {
    const { quality, round, changes } = rig()
    for (const ms of [40, 60, 40, 60]) round(ms)
    expect(quality.metrics).toMatchObject({ latency: 50, jitter: 20, packetLoss: 0, qualityScore: 96 })
    for (let i = 0; i < 20; i++) round(450)
    expect(quality.metrics).toMatchObject({ latency: 450, jitter: 0, qualityScore: 60 })
    expect(changes()).toBe(24)
  })

  test('loss is what was not answered of the last twenty, and a lost connection costs stability', () => {
    const { quality, connection, wire, round } = rig()
    for (let i = 0; i < 19; i++) round(0)
    connection.send(ping)
    wire.closed(1006, '', null)
    expect(quality.metrics).toMatchObject({ packetLoss: 0.05, connectionStability: 0.95 })
  })

  test('what we give up because it is silent is lost, what we close is not', () => {
    const one = rig()
    one.connection.send(ping)
    one.connection.close(1000, '')
    expect(one.quality.metrics).toMatchObject({ packetLoss: 1, connectionStability: 0 })
    const two = rig()
    two.round(0)
    two.connection.close(1000, '')
    expect(two.quality.metrics).toMatchObject({ packetLoss: 0, connectionStability: 1 })
  })

  test('a page that nobody sees measures nothing', () => {
    const { env, quality, connection, wire, round } = rig()
    env.seen = false
    round(5000)
    connection.send(ping)
    env.seen = true
    wire.frame(pong)
    connection.send(ping)
    env.seen = false
    wire.frame(pong)
    expect(quality.metrics.latency).toBe(0)
    expect(quality.metrics.packetLoss).toBe(0)
  })

  test('what the other end said stands until the next reading', () => {
    const { quality, round } = rig()
    const told = { qualityScore: 95.5, latency: 45, packetLoss: 0.01, jitter: 12, connectionStability: 0.98 }
    quality.tell(told)
    expect(quality.metrics).toEqual(told)
    round(10)
    expect(quality.metrics.latency).toBe(10)
  })

  test('X74 bytes are those of the frames, of what was taken', () => {
    const { quality, connection, wire, heard } = rig()
    connection.send('größer')
    connection.send('refused')
    wire.frame('ü')
    wire.alive()
    expect(quality.traffic).toEqual({ bytesSent: 8, framesSent: 1, bytesReceived: 2, framesReceived: 1 })
    expect(heard).toEqual(['open', 'ü', 'alive'])
    quality.reset()
    expect(quality.traffic.bytesSent).toBe(0)
  })
})
