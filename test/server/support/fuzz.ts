// Sends bent messages over every way in, and looks at every word that comes back. One mechanism for `npm test` and for
// the soak, which only sends more of them.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { errorCodes } from 'syncline'
import { WebSocket as BareSocket } from 'ws'
import type { App } from './app.ts'
import { draws, mutated, pick } from './mutate.ts'
import type { Draw } from './mutate.ts'

const spoken = new Set(
  'welcome batch results reset mismatch pong ping error subscribed change changes field_change field_changes sync_complete push_ack sync_reset sync:response sync:delta sync:ack sync:error sync:pong subscription:confirmed unsubscription:confirmed'.split(
    ' ',
  ),
)
const doors = ['/api/sync', '/api/field-sync']
/** What may be said at an end; 1002, 1007 and 1009 are the WebSocket library's own. */
const ends = new Set([1000, 1002, 1005, 1007, 1008, 1009, 1012, 1013, 4400, 4408, 4409])

export const maxPayload = 64 * 1024

export interface Fuzzed {
  frames: number
  readonly replies: Map<string, number>
  /** What should not have come, with the number of the frame before it. */
  readonly wrong: string[]
}

export interface FuzzOptions {
  readonly app: App
  readonly frames: number
  readonly seed: number
  /** Called now and then. */
  readonly meanwhile?: () => void
}

export async function fuzz({ app, frames, seed, meanwhile }: FuzzOptions): Promise<Fuzzed> {
  const draw = draws(seed)
  const result: Fuzzed = { frames: 0, replies: new Map(), wrong: [] }
  while (result.frames < frames && result.wrong.length < 10) {
    const way = draw(10)
    if (way < 6) await overSocket(app, draw, result)
    else if (way < 8) await overStream(app, draw, result)
    else await overHttp(app, draw, result)
    meanwhile?.()
  }
  return result
}

function note({ replies }: Fuzzed, what: string): void {
  replies.set(what, (replies.get(what) ?? 0) + 1)
}

/** An error has one of the codes, and INTERNAL is nobody's answer to input. */
function checkError(result: Fuzzed, error: unknown, where: string): void {
  const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : 'none'
  note(result, code)
  if (!(code in errorCodes) || code === 'INTERNAL')
    result.wrong.push(`${where}: ${JSON.stringify(error)} (frame ${result.frames})`)
}

function checkFrame(result: Fuzzed, text: string, where: string): void {
  const frame = JSON.parse(text) as Record<string, unknown>
  const type = String(frame['type'])
  if (!spoken.has(type)) result.wrong.push(`${where}: ${text.slice(0, 200)} (frame ${result.frames})`)
  note(result, type)
  if (type === 'error' || type === 'sync:error') checkError(result, frame, where)
  const results =
    type === 'results'
      ? (frame['results'] as { error?: unknown }[])
      : type === 'push_ack' || type === 'sync:ack'
        ? [frame]
        : []
  for (const { error } of results) if (error !== undefined) checkError(result, error, where)
}

function checkEnd(result: Fuzzed, code: number, where: string): void {
  note(result, `closed ${code}`)
  if (!ends.has(code)) result.wrong.push(`${where}: closed ${code} (frame ${result.frames})`)
}

const hello = (draw: Draw): string =>
  JSON.stringify({ type: 'hello', protocol: 1, client: `fuzz${draw(20)}`, lead: 1, acked: 0 })

/** Up to two hundred frames on one connection, which may end before. */
async function overSocket({ url }: App, draw: Draw, result: Fuzzed): Promise<void> {
  const ws = new BareSocket(`${url.replace('http', 'ws')}${pick(draw, doors)}/ws`)
  ws.on('error', () => {})
  let ours = false
  const closed = new Promise<void>(resolve => {
    ws.on('close', code => {
      if (!ours) checkEnd(result, code, 'WebSocket')
      resolve()
    })
  })
  let pong = (): void => {}
  ws.on('message', (data: Buffer) => {
    const text = data.toString()
    checkFrame(result, text, 'WebSocket')
    if (text.startsWith('{"type":"pong"')) pong()
  })
  await Promise.race([closed, new Promise(resolve => ws.once('open', resolve))])
  if (draw(2) === 0) ws.send(hello(draw))
  for (let rounds = 1 + draw(8); rounds > 0 && ws.readyState === BareSocket.OPEN; rounds--) {
    for (let i = 0; i < 25; i++, result.frames++) {
      const text = mutated(draw)
      const odd = draw(100)
      if (odd === 0)
        ws.send(Buffer.from(Array.from({ length: draw(40) }, () => draw(256))), { binary: draw(2) === 0 })
      else if (odd === 1) {
        ws.send(text.slice(0, 5), { fin: false })
        ws.send(text.slice(5))
      } else ws.send(text)
    }
    const answered = new Promise<void>(resolve => (pong = resolve))
    ws.send('{"type":"ping"}')
    await Promise.race([closed, answered])
  }
  ours = true
  if (draw(2) === 0) ws.terminate()
  else ws.close()
  await closed.catch(() => {})
}

/** Frames up by POST, down on a stream. */
async function overStream({ url }: App, draw: Draw, result: Fuzzed): Promise<void> {
  const abort = new AbortController()
  const stream = await fetch(`${url}/api/sync/events?stream=canonical`, { signal: abort.signal })
  let session = (_secret: string): void => {}
  const opened = new Promise<string>(resolve => (session = resolve))
  const reading = readStream(stream, result, secret => session(secret)).catch(() => {})
  const secret = await opened
  for (let rounds = 1 + draw(4); rounds > 0; rounds--) {
    const frames = Array.from({ length: 1 + draw(20) }, () => mutated(draw))
    if (rounds === 1) frames.unshift(hello(draw))
    result.frames += frames.length
    const body = draw(10) === 0 ? frames.join(',') : `[${frames.filter(isJson).join(',')}]`
    await request(result, `${url}/api/sync/events?session=${draw(20) === 0 ? 'x' : secret}`, body)
  }
  abort.abort()
  await reading
}

async function readStream(
  stream: Response,
  result: Fuzzed,
  session: (secret: string) => void,
): Promise<void> {
  let rest = ''
  const decoder = new TextDecoder()
  for await (const chunk of stream.body ?? []) {
    const blocks = (rest + decoder.decode(chunk, { stream: true })).split('\n\n')
    rest = blocks.pop() ?? ''
    for (const block of blocks) {
      const data = /^data: (.*)$/m.exec(block)?.[1]
      if (data === undefined) continue
      const said = JSON.parse(data) as { session: string; code: number }
      if (block.startsWith('event: session')) session(said.session)
      else if (block.startsWith('event: close')) checkEnd(result, said.code, 'stream')
      else checkFrame(result, data, 'stream')
    }
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** Pushes and pulls, with paths and queries that are bent too. */
async function overHttp({ url }: App, draw: Draw, result: Fuzzed): Promise<void> {
  for (let rounds = 1 + draw(10); rounds > 0; rounds--, result.frames++) {
    const path = pick(draw, [
      'users',
      'posts',
      'nothing',
      '%ff',
      '__proto__',
      'events',
      'ws',
      'health',
      'users/1',
      'users/1/latest',
      '__proto__/1/latest',
      'users/%00/latest',
      '',
    ])
    const query = pick(draw, [
      '',
      '?since=0',
      '?since=3',
      '?since=-1',
      '?since=1e9',
      '?limit=NaN&since=1',
      '?since=999',
      '?session=%00',
    ])
    const target = `${url}${pick(draw, doors)}/${path}${query}`
    if (draw(3) === 0 && path !== 'events') await request(result, target)
    else
      await request(
        result,
        target,
        draw(3) === 0 ? mutated(draw) : `{"changes":[${mutated(draw)},${mutated(draw)}],"client_id":"c"}`,
      )
  }
}

async function request(result: Fuzzed, target: string, body?: string): Promise<void> {
  const how = { method: 'POST', headers: { 'content-type': 'application/json' } }
  // what is sixteen times too large is cut off instead of answered, and another test's business
  if (Buffer.byteLength(body ?? '') > maxPayload * 16) return
  const response = await fetch(target, body === undefined ? {} : { ...how, body })
  const text = await response.text()
  note(result, `HTTP ${response.status}`)
  if (response.status < 400) return
  const said = isJson(text) ? (JSON.parse(text) as { error?: unknown }) : {}
  checkError(result, said.error, `HTTP ${response.status}`)
}

/** Bytes of the heap after a collection. */
export function heap(): number {
  setFlagsFromString('--expose-gc')
  const collect: unknown = runInNewContext('gc')
  if (typeof collect === 'function') for (let i = 0; i < 3; i++) collect()
  return process.memoryUsage().heapUsed
}
