import { expect, test } from 'vitest'
import { eventStreamPeer } from './event-stream.ts'
import { Frame } from './frames.ts'

test('[L8] a JSON column stored over several lines is still one data line', () => {
  const sent: string[] = []
  const peer = eventStreamPeer({ write: bytes => void sent.push(String(bytes)), buffered: () => 0, end() {} })
  peer.write([new Frame('{"json":{\r\n "a":1,\n\n "text":"x\\ny"\r}}', 7)])
  expect(sent).toEqual(['id: 7\ndata: {"json":{  "a":1,  "text":"x\\ny" }}\n\n'])
})
