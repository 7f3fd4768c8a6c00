// A server that says where it is and ends when it is asked to.
import { createServer } from 'node:http'

/** @param {{ name: string, apps: { handle: Function, attach: Function, close: Function }[] }} options */
export async function listen({ name, apps }) {
  const server = createServer((request, response) => {
    if (apps.some(app => app.handle(request, response))) return
    response.writeHead(404, { 'content-type': 'text/plain; charset=utf-8' }).end('Not found\n')
  })
  for (const app of apps) app.attach(server)

  const port = Number(process.env.PORT ?? 3000)
  const host = process.env.HOST ?? '127.0.0.1'
  server.on('error', error => {
    console.error(
      error.code === 'EADDRINUSE' ? `Port ${port} is taken. Try another: PORT=${port + 1} npm start` : error,
    )
    process.exit(1)
  })
  await new Promise(resolve => server.listen(port, host, resolve))
  console.log(`${name}: http://localhost:${server.address().port}/   (Ctrl-C ends it)`)

  let ending = false
  const end = async () => {
    if (ending) process.exit(1)
    ending = true
    server.close()
    await Promise.all(apps.map(app => app.close()))
    server.closeAllConnections()
    process.exit(0)
  }
  process.on('SIGINT', () => void end())
  process.on('SIGTERM', () => void end())
}
