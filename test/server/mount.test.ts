// The routes beside an application's own, on every kind of server that they fit.
import { createServer } from 'node:http'
import { serve } from '@hono/node-server'
import express from 'express'
import fastify from 'fastify'
import { Hono } from 'hono'
import { afterEach, describe, expect, test } from 'vitest'
import { createSyncEngine } from 'syncline'
import type { SyncEngine } from 'syncline'
import { cleanUp, closeServer, folder, later, listen, openDatabase, usersAndPosts } from './support/app.ts'
import type { Handle } from './support/app.ts'
import { openLine, openStream, pull } from './support/wire.ts'

afterEach(cleanUp)

function database(): Handle {
  const db = openDatabase(`${folder()}/app.db`)
  db.exec(usersAndPosts)
  return db
}

describe('T-S03 beside the routes of an application', () => {
  async function check(url: string): Promise<void> {
    expect(await (await fetch(`${url}/`)).text()).toBe('home')
    expect(await (await fetch(`${url}/api/users`)).text()).toBe('mine')
    expect((await fetch(`${url}/api/sync/users`)).status).toBe(200)
    expect(await (await fetch(`${url}/nowhere`)).text()).toContain('own 404')
    const stream = await openStream(`${url}/api/sync/events`)
    expect(stream.response.status).toBe(200)
    const line = await openLine(url)
    line.send({ type: 'ping' })
    await line.next(frame => frame.type === 'pong')
    const pushed = await fetch(`${url}/api/sync/users`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"changes":[{"id":1,"action":"create","data":{"name":"x"}}]}',
    })
    expect(pushed.status).toBe(200)
    expect((await pull(url, 'users')).changes).toHaveLength(1)
  }

  async function engineFor(): Promise<SyncEngine> {
    const engine = await createSyncEngine({ db: database(), entities: ['users'], access: 'public' })
    later(() => engine.close())
    return engine
  }

  test('bare http', async () => {
    const engine = await engineFor()
    const routes = engine.routes()
    const server = createServer((request, response) => {
      routes(request, response, () => {
        if (request.url === '/') response.end('home')
        else if (request.url === '/api/users') response.end('mine')
        else response.writeHead(404).end('own 404')
      })
    })
    engine.attach(server)
    later(() => closeServer(server))
    await check(`http://127.0.0.1:${await listen(server)}`)
  })

  test('Express, also with a body parser in front', async () => {
    const engine = await engineFor()
    const app = express()
    app.use(express.json())
    app.get('/', (_request, response) => void response.send('home'))
    app.get('/api/users', (_request, response) => void response.send('mine'))
    app.use(engine.routes())
    app.use((_request, response) => void response.status(404).send('own 404'))
    const server = createServer(app)
    engine.attach(server)
    later(() => closeServer(server))
    await check(`http://127.0.0.1:${await listen(server)}`)
  })

  test('Express, mounted below a path', async () => {
    const engine = await engineFor()
    const app = express()
    app.use('/api/sync', engine.routes())
    const server = createServer(app)
    later(() => closeServer(server))
    const url = `http://127.0.0.1:${await listen(server)}`
    expect((await fetch(`${url}/api/sync/users`)).status).toBe(200)
  })

  test('Hono, by fetch', async () => {
    const engine = await engineFor()
    const routes = engine.routes()
    const app = new Hono()
    app.get('/', context => context.text('home'))
    app.get('/api/users', context => context.text('mine'))
    app.use('/api/sync/*', async (context, next) => {
      const answer = await routes.fetch(context.req.raw)
      if (answer === undefined) return next()
      return answer
    })
    app.notFound(context => context.text('own 404', 404))
    const server = await new Promise<ReturnType<typeof serve>>(resolve => {
      const made = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, () => resolve(made))
    })
    engine.attach(server)
    later(() => new Promise<void>(resolve => void server.close(() => resolve())))
    later(() => (server as unknown as { closeAllConnections(): void }).closeAllConnections())
    const address = server.address()
    await check(`http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`)
  })

  test('Fastify, as a hook before its own parsing', async () => {
    const engine = await engineFor()
    const routes = engine.routes()
    const app = fastify()
    app.addHook('onRequest', (request, reply, done) => {
      // what the routes take, Fastify does not answer; `done` is called for all other paths
      routes(request.raw, reply.raw, done)
    })
    app.get('/', () => 'home')
    app.get('/api/users', () => 'mine')
    app.setNotFoundHandler((_request, reply) => reply.code(404).send('own 404'))
    engine.attach(app.server)
    later(() => app.close())
    later(() => app.server.closeAllConnections())
    await check(await app.listen({ port: 0, host: '127.0.0.1' }))
  })

  test('a WebSocket of somebody else on the same server stays theirs', async () => {
    const engine = await engineFor()
    const server = createServer(engine.routes())
    const theirs: string[] = []
    server.on('upgrade', (request, socket) => {
      if (request.url !== '/reload') return
      theirs.push(request.url)
      socket.end('HTTP/1.1 418 Theirs\r\n\r\n')
    })
    engine.attach(server)
    later(() => closeServer(server))
    const url = `http://127.0.0.1:${await listen(server)}`
    await expect(openLine(url, '/reload')).rejects.toThrow()
    expect(theirs).toEqual(['/reload'])
    const line = await openLine(url)
    line.send({ type: 'ping' })
    await line.next(frame => frame.type === 'pong')
  })
})
