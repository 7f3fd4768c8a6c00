// A real nginx or Caddy with the very settings of the guide: only ports, the name and the certificate are put in.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import tls from 'node:tls'
import { fileURLToPath } from 'node:url'
import { caddy, nginx } from '../../tools/proxies.mjs'
import { freePort } from '../browser/support/processes.ts'
import { folder, later, until } from '../server/support/app.ts'

const guide = readFileSync(path.resolve(import.meta.dirname, '../../docs/guides/deploying.md'), 'utf8')

interface Places {
  readonly folder: string
  readonly app: number
  readonly port: number
  readonly plain: number
  readonly cert: string
  readonly key: string
}

/** The program, and what it is started with. */
interface Command {
  readonly program: string
  readonly args: readonly string[]
}

export interface Proxy {
  readonly port: number
  readonly url: string
  /** Where it listens without TLS. */
  readonly plain: string
}

export const proxies = { nginx: nginxCommand, caddy: caddyCommand }

/** Serves until the test is over. */
export async function startProxy(name: keyof typeof proxies, app: number): Promise<Proxy> {
  const made = folder()
  const places = { folder: made, app, port: await freePort(), plain: await freePort(), ...certificate() }
  const { program, args } = proxies[name](places)
  const child = spawn(program, args, {
    env: { ...process.env, HOME: made, XDG_DATA_HOME: made, XDG_CONFIG_HOME: made },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  child.stderr.on('data', data => (said += String(data)))
  const ended = once(child, 'exit')
  later(async () => {
    child.kill('SIGTERM')
    await ended
  })
  const url = `https://localhost:${places.port}`
  await until(name, async () => {
    if (child.exitCode !== null) throw new Error(`${name} ended: ${said}`)
    return fetch(`${url}/api/sync/health`).then(
      ({ ok }) => ok,
      () => false,
    )
  })
  return { port: places.port, url, plain: `http://localhost:${places.plain}` }
}

function nginxCommand(places: Places): Command {
  const server = settings('nginx', {
    'listen 443 ssl http2;': `listen 127.0.0.1:${places.port} ssl http2;`,
    'listen [::]:443 ssl http2;': '',
    'listen 80;': `listen 127.0.0.1:${places.plain};`,
    'listen [::]:80;': '',
    '/etc/letsencrypt/live/app.example.com/fullchain.pem': places.cert,
    '/etc/letsencrypt/live/app.example.com/privkey.pem': places.key,
    '127.0.0.1:3000': `127.0.0.1:${places.app}`,
    'app.example.com': 'localhost',
  })
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  const file = path.join(places.folder, 'nginx.conf')
  writeFileSync(
    file,
    `daemon off;
master_process off;
pid nginx.pid;
events {}
http {
  access_log off;
  ${temporary.map(name => `${name}_temp_path ${name};`).join('\n  ')}
${server}}
`,
  )
  return { program: nginx(), args: ['-p', places.folder, '-e', 'stderr', '-c', file] }
}

function caddyCommand(places: Places): Command {
  const site = settings('caddyfile', {
    'app.example.com {': `localhost {\n\ttls ${places.cert} ${places.key}`,
    '127.0.0.1:3000': `127.0.0.1:${places.app}`,
  })
  const file = path.join(places.folder, 'Caddyfile')
  writeFileSync(
    file,
    `{
	admin off
	default_bind 127.0.0.1
	http_port ${places.plain}
	https_port ${places.port}
}
${site}`,
  )
  return { program: caddy(), args: ['run', '--config', file, '--adapter', 'caddyfile'] }
}

/** The block of the guide in this language. What is to be put in must be there, or something else would be tested. */
function settings(language: string, changes: Readonly<Record<string, string>>): string {
  let text = new RegExp(`\`\`\`${language}\n([^]*?)\`\`\``).exec(guide)?.[1] ?? ''
  for (const [from, to] of Object.entries(changes)) {
    if (!text.includes(from)) throw new Error(`the guide's settings for ${language} have no ${from}`)
    text = text.replaceAll(from, to)
  }
  return text
}

/** That of the browser tests, for localhost: trusted by whatever this process asks from now on. */
function certificate(): { cert: string; key: string } {
  const pem = fileURLToPath(new URL('../browser/support/localhost.pem', import.meta.url))
  tls.setDefaultCACertificates([readFileSync(pem, 'utf8')])
  return { cert: pem, key: pem }
}
