// Frames down in answers that end: each request is held until there is something, at most 25 seconds. For networks that
// hold back whatever does not end; costs a request per batch. An answer is a short event stream.
import { ask, endWith, eventParser, isOurs, openStream } from './http-frames.ts'
import type { Stream } from './http-frames.ts'
import type { Transport } from './transport.ts'
import { absolute } from './transport-websocket.ts'

export function longPollTransport(url: string): Transport {
  return { name: 'long-poll', connect: events => openStream(`${absolute(url)}/events`, events, poll) }
}

/** One request at a time; a failed one ends it, because what its answer held would be missed. */
async function poll(stream: Stream): Promise<void> {
  const parse = eventParser(stream)
  while (!stream.over) {
    const response = await ask(stream, `protocol=1&stream=poll&session=${stream.session}`)
    const text = isOurs(response) ? await response.text() : ''
    // ours says something in every answer, were it a comment: whoever answers for it would be asked again without end
    if (text === '') return endWith(stream, response)
    parse(text)
  }
}
