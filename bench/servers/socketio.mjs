// The control: Socket.IO with nothing stored, one event per write to everybody.
import { createServer } from 'node:http'
import { Server } from 'socket.io'
import { answerCalls } from '../process.mjs'
import { digest } from '../rows.mjs'
import { resources } from './database.mjs'

const rows = new Map()

async function open() {
  const server = createServer()
  const io = new Server(server, { transports: ['websocket'] })
  io.on('connection', socket => {
    socket.on('write', ({ row }) => {
      rows.set(row[0], row)
      io.emit('row', row)
    })
  })
  await new Promise(resolve => void server.listen(0, '127.0.0.1', resolve))
  return server.address().port
}

answerCalls({ open, resources, digest: () => digest(rows.values()) })
