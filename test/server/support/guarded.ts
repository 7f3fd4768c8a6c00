// An application that asks who is there: by cookie, from a list.
import type { AuthRequest, User } from 'syncline'
import { WebSocket } from 'ws'
import { later, startApp, until } from './app.ts'
import type { App, AppOptions } from './app.ts'

/** Who is signed in, by cookie. */
class SignedIn {
  readonly users = new Map<string, User>()
  readonly asked: AuthRequest[] = []
  readonly authenticate = async (request: AuthRequest): Promise<User | null> => {
    this.asked.push(request)
    await new Promise(resolve => setImmediate(resolve))
    return this.users.get(request.headers.get('cookie') ?? '') ?? null
  }
}

export async function guarded(more: AppOptions = {}): Promise<App & { signedIn: SignedIn }> {
  const signedIn = new SignedIn()
  signedIn.users.set('sid=ada', { id: 'ada', session: 's1' })
  signedIn.users.set('sid=bob', { id: 'bob', session: 's2' })
  return { ...(await startApp({ authenticate: signedIn.authenticate, ...more })), signedIn }
}

export const hello = JSON.stringify({ type: 'hello', protocol: 1, client: 'c1', lead: 1, acked: 0 })
export const ada = { cookie: 'sid=ada' }
export const bob = { cookie: 'sid=bob' }

interface Socket {
  readonly frames: Record<string, unknown>[]
  readonly closed: Promise<{ code: number; reason: string }>
  send(text: string): void
}

/** Says hello as soon as it can. */
export function socket(app: App, headers: Record<string, string> = {}): Socket {
  const ws = new WebSocket(`${app.url.replace('http', 'ws')}/api/sync/ws`, { headers })
  later(() => ws.terminate())
  const frames: Record<string, unknown>[] = []
  ws.on('open', () => ws.send(hello))
  ws.on('message', (data: Buffer) => void frames.push(JSON.parse(data.toString()) as Record<string, unknown>))
  const closed = new Promise<{ code: number; reason: string }>((resolve, reject) => {
    ws.on('close', (code, reason) => resolve({ code, reason: reason.toString() }))
    ws.on('error', reject)
  })
  closed.catch(() => {})
  return { frames, closed, send: text => ws.send(text) }
}

export async function welcomed(app: App, headers: Record<string, string>): Promise<Socket> {
  const made = socket(app, headers)
  await until('a welcome', () => made.frames.some(({ type }) => type === 'welcome'))
  return made
}
