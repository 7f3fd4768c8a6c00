// Frames down over an event stream, read with fetch so that the status is seen and Node can do it too.
import { ask, end, endWith, eventParser, isOurs, openStream } from './http-frames.ts'
import type { Stream } from './http-frames.ts'
import type { Transport } from './transport.ts'
import { absolute } from './transport-websocket.ts'

export function sseTransport(url: string, via?: typeof fetch): Transport {
  return { name: 'sse', connect: events => openStream(`${absolute(url)}/events`, events, listen, via) }
}

async function listen(stream: Stream): Promise<void> {
  const response = await ask(stream, 'protocol=1&stream=canonical', {
    headers: { accept: 'text/event-stream' },
  })
  if (!isOurs(response) || response.body === null) return endWith(stream, response)
  // the first event comes with the head; where it does not, something on the way keeps the stream to itself (rule K9)
  stream.events.alive()
  const reader = response.body.getReader()
  const decoder = new TextDecoder()
  const parse = eventParser(stream)
  for (let part = await reader.read(); !part.done && !stream.over; part = await reader.read()) {
    parse(decoder.decode(part.value, { stream: true }))
  }
  end(stream, 1006)
}
