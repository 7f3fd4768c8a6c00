// Which frames of a WebSocket are compressed: what the address says, since a browser cannot say it in the handshake.
import { afterEach, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { cleanUp, later, startApp, until } from './support/app.ts'

afterEach(cleanUp)

interface Opened {
  readonly extensions: string
  /** Bytes off the wire for a batch of `size` characters. */
  readonly bytesOf: (size: number) => Promise<number>
}

async function open(url: string, query: string, insert: (id: number, text: string) => void): Promise<Opened> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/api/sync/ws${query}`)
  later(() => socket.terminate())
  const frames: string[] = []
  let bytes = 0
  socket.on('upgrade', response => response.socket.on('data', (part: Buffer) => (bytes += part.length)))
  socket.on('message', data => frames.push(Buffer.isBuffer(data) ? data.toString() : ''))
  await new Promise(resolve => socket.once('open', resolve))
  const send = (message: object): void => socket.send(JSON.stringify(message))
  send({ type: 'hello', protocol: 1, client: `c${query.replace(/\W/g, '')}`, lead: 1, acked: 0 })
  send({ type: 'subscribe', scopes: [{ entity: 'users', cursor: null, marks: [], shape: null }] })
  await until('the snapshot', () => frames.some(text => text.includes('"batch"')))
  let id = query === '' ? 10 : query.endsWith('1') ? 20 : 30
  return {
    extensions: socket.extensions,
    async bytesOf(size) {
      const before = bytes
      const text = `${'text '.repeat(size / 5)}${++id}.`
      insert(id, text)
      await until('the batch', () => frames.some(frame => frame.includes(`${id}.`)))
      return bytes - before
    },
  }
}

test('[K13] K53 compressed from 8 kB by default, from 1 kB where it is asked for, never where it is refused', async () => {
  const { url, db } = await startApp()
  const insert = db.prepare('INSERT INTO users VALUES (?, ?, NULL)')
  const run = (id: number, text: string): void => void insert.run(id, text)
  const seen = []
  for (const query of ['', '?compress=1', '?compress=0']) {
    const { extensions, bytesOf } = await open(url, query, run)
    const small = []
    for (const size of [500, 2_000, 20_000]) small.push((await bytesOf(size)) < size)
    seen.push([query, extensions !== '', ...small])
  }
  expect(seen).toEqual([
    ['', true, false, false, true],
    ['?compress=1', true, false, true, true],
    ['?compress=0', false, false, false, false],
  ])
})

test('K53 both ends begin each frame anew: neither keeps a window for the connection', async () => {
  const { url } = await startApp()
  const socket = new WebSocket(`${url.replace('http', 'ws')}/api/sync/ws`)
  later(() => socket.terminate())
  const said = await new Promise<string>(resolve =>
    socket.on('upgrade', response => resolve(String(response.headers['sec-websocket-extensions']))),
  )
  expect(said).toMatch(/server_no_context_takeover/)
  expect(said).toMatch(/client_no_context_takeover/)
})
