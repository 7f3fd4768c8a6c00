import { deflateRawSync } from 'node:zlib'
import { connect } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { cleanUp, later, startApp, until } from './support/app.ts'
import { survives } from './support/fuzz-run.ts'

afterEach(cleanUp)

const seed = Number(process.env['SEED'] ?? 47)

test(`[S1] [G7] X47 twenty thousand bent messages over every way in, seed ${seed}: it lives, and every reply is coded`, async () => {
  await survives(20_000, seed)
}, 300_000)

test('[S1] [G7] what follows a refused frame on the same connection does not end the process', async () => {
  const uncaught: unknown[] = []
  const note = (error: unknown): void => void uncaught.push(error)
  process.on('uncaughtException', note)
  later(() => process.off('uncaughtException', note))
  const { port, engine } = await startApp()
  for (let i = 0; i < 20; i++) {
    const socket = connect(port, '127.0.0.1')
    later(() => socket.destroy())
    socket.on('error', () => {})
    socket.setNoDelay(true)
    socket.write(
      'GET /api/sync/ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n',
    )
    await new Promise(resolve => socket.once('data', resolve))
    // while this one is inflated, beside the event loop, what comes after it is kept for later in pieces
    socket.write(
      masked(0xc1, deflateRawSync(Buffer.from(JSON.stringify({ type: 'ping', x: 'y'.repeat(3_900_000) })))),
    )
    for (const payload of [Buffer.from([0xff, 0xfe]), Buffer.from('{"type":"ping"}'), Buffer.from('more')]) {
      await new Promise(resolve => setImmediate(resolve))
      socket.write(masked(0x81, payload))
    }
    await new Promise(resolve => socket.once('close', resolve))
  }
  await until('their ends', async () => (await engine.stats()).connections === 0)
  expect(uncaught).toEqual([])
})

/** A frame with a mask that changes something: a mask of zeros is not even looked at. */
function masked(head: number, payload: Buffer): Buffer {
  const size = Buffer.from(
    payload.length < 126 ? [0x80 | payload.length] : [0x80 | 126, payload.length >> 8, payload.length & 255],
  )
  const mask = Buffer.from([1, 2, 3, 4])
  return Buffer.concat([Buffer.from([head]), size, mask, payload.map((byte, i) => byte ^ (mask[i % 4] ?? 0))])
}
