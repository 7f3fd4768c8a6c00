// How the clients of each measured server speak: subscribe, write, count. Runs in the clients' process.
import { openSocket } from './socket.mjs'
import { columns } from './rows.mjs'

const paths = { floor: '/', syncline: '/api/sync/ws', socketio: '/socket.io/?EIO=4&transport=websocket' }

/**
 * A subscriber, subscribed when the promise resolves. `onRows(rows)` gets arrays of values in the order of `columns`.
 * With `countOnly` nothing is parsed after that: rows are counted by their marker byte, `count()` says how many.
 */
export async function subscriber(variant, port, name, { onRows = () => {}, countOnly = false } = {}) {
  let counted = 0
  let last = 0
  const socket = await openSocket(port, paths[variant])
  // a frame's length may hold the marker's byte too, but not between a quote and a digit
  const count = data => {
    for (let at = data.indexOf(0x7e); at !== -1; at = data.indexOf(0x7e, at + 1)) {
      const before = at === 0 ? last : data[at - 1]
      const next = data[at + 1] ?? 0x30
      if ((before === 0x22 || before === 0x5c) && next >= 0x30 && next <= 0x39) counted++
    }
    last = data[data.length - 1]
  }
  const ready = await greeters[variant](socket, name, onRows)
  if (countOnly) socket.onBytes = count
  return { ...ready, count: () => counted, close: socket.close, bytesRead: socket.bytesRead }
}

const greeters = {
  floor: (socket, _name, onRows) =>
    new Promise(resolve => {
      socket.onText = text => {
        const message = JSON.parse(text)
        if (message.subscribed === true) resolve({})
        else if (message.rows !== undefined) onRows(message.rows)
      }
      socket.send('{"subscribe":true}')
    }),
  syncline: (socket, name, onRows) =>
    new Promise((resolve, reject) => {
      const session = canonicalSession(onRows, reject)
      socket.onText = text => {
        const message = JSON.parse(text)
        if (message.type === 'welcome') socket.send(session.subscribe(message))
        else if (session.take(message)) resolve({ cursor: session.cursor })
      }
      socket.send(hello(name))
    }),
  socketio: (socket, _name, onRows) =>
    new Promise(resolve => {
      socket.onText = text => {
        if (text.startsWith('0')) socket.send('40')
        else if (text.startsWith('40')) resolve({})
        else if (text === '2') socket.send('3')
        else if (text.startsWith('42')) onRows([JSON.parse(text.slice(2))[1]])
      }
    }),
}

export const hello = name => JSON.stringify({ type: 'hello', protocol: 1, client: name, lead: 1, acked: 0 })

/** What a client of the canonical protocol checks: each batch begins where the last one ended. */
export function canonicalSession(onRows, fail) {
  let order = []
  let staged = []
  const session = {
    cursor: null,
    subscribe(welcome) {
      const names = welcome.entities.items.columns.map(([name]) => name)
      order = columns.map(column => names.indexOf(column) + 1)
      const scope = { entity: 'items', cursor: session.cursor, marks: [], shape: welcome.entities.items.hash }
      return JSON.stringify({ type: 'subscribe', scopes: [scope] })
    },
    /** True: a batch was taken whole. */
    take(message) {
      if (message.type === 'error' || message.type === 'reset')
        return fail(new Error(JSON.stringify(message)))
      if (message.type !== 'batch') return false
      if (message.from?.seq !== session.cursor?.seq)
        return fail(new Error(`a gap: at ${session.cursor?.seq}, the batch begins at ${message.from?.seq}`))
      // these clients hold no rows to put a patch over
      if (message.sets.some(set => set.patches !== undefined)) return fail(new Error('a patch'))
      for (const set of message.sets) staged.push(...set.rows)
      if (message.to === undefined) return false
      session.cursor = message.to
      const rows = staged.map(row => order.map(at => row[at]))
      staged = []
      if (rows.length > 0) onRows(rows)
      return true
    },
  }
  return session
}

/** One that writes: `frame(n, row, acked)` makes the message, `onAcks(ns)` hears what is settled. */
export async function writer(variant, port, name, { onAcks = () => {}, action = 'update' } = {}) {
  const socket = await openSocket(port, paths[variant])
  const base = await writerGreeters[variant](socket, name, onAcks)
  const frames = {
    floor: (n, row) => JSON.stringify({ n, row }),
    syncline: (n, row, acked) => mutateFrame(n, row, { acked, action, base }),
    socketio: (n, row) => `42${JSON.stringify(['write', { n, row }])}`,
  }
  return { frame: frames[variant], send: socket.send, write: socket.write, close: socket.close }
}

function mutateFrame(n, row, { acked = 0, action, base }) {
  const [id, ...values] = row
  const data = Object.fromEntries(values.map((value, i) => [columns[i + 1], value]))
  const write = { entity: 'items', id: String(id), action, data }
  const stamp = `${Date.now()}${String(n % 1000).padStart(3, '0')}.bench`
  return JSON.stringify({ type: 'mutate', mutations: [{ n, base, stamp, writes: [write] }], acked })
}

const writerGreeters = {
  async floor(socket, _name, onAcks) {
    socket.onText = text => onAcks(JSON.parse(text).acks)
  },
  syncline: (socket, name, onAcks) =>
    new Promise((resolve, reject) => {
      socket.onText = text => {
        const message = JSON.parse(text)
        if (message.type === 'welcome') resolve({ epoch: message.epoch, seq: message.head })
        else if (message.type === 'results') {
          const bad = message.results.find(result => result.status !== 'applied')
          if (bad !== undefined) throw new Error(`not applied: ${JSON.stringify(bad)}`)
          onAcks(message.results.map(result => result.n))
        } else if (message.type === 'error') reject(new Error(text))
      }
      socket.send(hello(name))
    }),
  socketio: socket =>
    new Promise(resolve => {
      socket.onText = text => {
        if (text.startsWith('0')) socket.send('40')
        else if (text.startsWith('40')) resolve()
        else if (text === '2') socket.send('3')
      }
    }),
}
