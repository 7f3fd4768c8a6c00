import { deflateRawSync } from 'node:zlib'
import type { Writable } from 'node:stream'
import { expect, test } from 'vitest'
import * as ws from 'ws'
import type { WebSocket } from 'ws'
import { stopAtError } from './receiver.ts'

/** A frame with a mask that changes something: a mask of zeros is not even looked at. */
function masked(head: number, payload: Buffer): Buffer {
  const mask = Buffer.from([1, 2, 3, 4])
  const body = payload.map((byte, i) => byte ^ (mask[i % 4] ?? 0))
  return Buffer.concat([Buffer.from([head, 0x80 | payload.length]), mask, body])
}

test('[S1] [G7] what was kept behind a refused frame is not read, and throws nothing', async () => {
  // parts of the library that its types do not name
  const Receiver = Reflect.get(ws, 'Receiver') as new (options: object) => Writable
  const Deflate = Reflect.get(ws, 'PerMessageDeflate') as new (options: object) => {
    accept(offers: object[]): void
  }
  const deflate = new Deflate({ isServer: true })
  deflate.accept([{}])
  const receiver = new Receiver({ isServer: true, extensions: { 'permessage-deflate': deflate } })
  stopAtError({ _receiver: receiver } as unknown as WebSocket)
  const heard: string[] = []
  receiver.on('message', (data: Buffer) => void heard.push(data.toString()))
  const failed = new Promise<Error>(resolve => receiver.once('error', resolve))
  // while this one is inflated, beside the event loop, what comes is kept
  const packed = deflateRawSync(Buffer.from('first'), { finishFlush: 2 })
  receiver.write(masked(0xc1, packed.subarray(0, -4)))
  for (const payload of [Buffer.from([0xff, 0xfe]), Buffer.from('second'), Buffer.from('third')])
    receiver.write(masked(0x81, payload))
  expect(await failed).toMatchObject({ code: 'WS_ERR_INVALID_UTF8' })
  expect(heard).toEqual(['first'])
})
