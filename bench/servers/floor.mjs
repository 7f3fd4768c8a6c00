// The least that could do the same work: `ws` and better-sqlite3, group commit, one prebuilt frame per tick and socket,
// columnar pages over HTTP. No merge, no access, no log, no exactly-once.
import { createServer } from 'node:http'
import { Sender, WebSocketServer } from 'ws'
import { answerCalls } from '../process.mjs'
import { columns, digest } from '../rows.mjs'
import { openDatabase, resources } from './database.mjs'
import { answerFile } from './pages.mjs'

const upsert =
  'INSERT INTO items VALUES (?,?,?,?,?,?) ON CONFLICT(id) DO UPDATE SET title=excluded.title, body=excluded.body, done=excluded.done, owner=excluded.owner, updated_at=excluded.updated_at'
const pageRows = 1000
const html =
  '<!doctype html><body><script src="/page/table.js"></script><script src="/page/floor.js"></script></body>'

let db
let store
const subscribers = new Set()
let pending = []

async function open(options) {
  db = openDatabase(options)
  store = db.prepare(upsert)
  const server = createServer((request, response) => {
    if (!answerFile(html, request, response)) answerPage(request, response)
  })
  const sockets = new WebSocketServer({ server, perMessageDeflate: false, clientTracking: false })
  sockets.on('connection', (socket, request) => {
    const tcp = request.socket
    tcp.setNoDelay(true)
    socket.on('message', data => {
      const message = JSON.parse(data)
      if (message.subscribe === true) {
        subscribers.add(tcp)
        return socket.send('{"subscribed":true}')
      }
      if (pending.length === 0) setImmediate(commit)
      pending.push({ ...message, tcp })
    })
    socket.on('close', () => subscribers.delete(tcp))
  })
  await new Promise(resolve => void server.listen(0, '127.0.0.1', resolve))
  return server.address().port
}

function commit() {
  const writes = pending
  pending = []
  db.exec('BEGIN IMMEDIATE')
  for (const { row } of writes) store.run(...row)
  db.exec('COMMIT')
  const acks = new Map()
  for (const { n, tcp } of writes) {
    const list = acks.get(tcp)
    if (list === undefined) acks.set(tcp, [n])
    else list.push(n)
  }
  if (subscribers.size > 0) {
    const frame = encode(`{"rows":${JSON.stringify(writes.map(({ row }) => row))}}`)
    for (const tcp of subscribers) tcp.write(frame)
  }
  for (const [tcp, list] of acks) tcp.write(encode(`{"acks":[${list.join(',')}]}`))
}

function encode(text) {
  const [head, body] = Sender.frame(Buffer.from(text), {
    fin: true,
    rsv1: false,
    opcode: 1,
    mask: false,
    readOnly: true,
  })
  return body === undefined ? head : Buffer.concat([head, body])
}

/** `GET /?after=<id>` a page of all rows; `GET /?since=<updated_at>` what changed, both columnar. */
function answerPage(request, response) {
  const query = new URL(request.url, 'http://x').searchParams
  const since = query.get('since')
  const rows =
    since === null
      ? db
          .prepare('SELECT * FROM items WHERE id > ? ORDER BY id LIMIT ?')
          .raw()
          .all(Number(query.get('after')), pageRows * 10)
      : db.prepare('SELECT * FROM items WHERE updated_at > ?').raw().all(Number(since))
  const columnar = columns.map((_, column) => rows.map(row => row[column]))
  response.writeHead(200, { 'content-type': 'application/json' })
  response.end(JSON.stringify({ columns: columnar, next: rows.at(-1)?.[0] ?? null }))
}

answerCalls({
  open,
  resources,
  exec: sql => void db.exec(sql),
  settled: () => {},
  digest: () => digest(db.prepare('SELECT * FROM items').raw().all()),
})
