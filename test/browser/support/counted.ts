// What a server of site.mjs has counted: no browser's protocol says it in the words of another's.
import type { Server } from './processes.ts'

export interface Counted {
  /** WebSockets that are open. */
  open: number
  /** WebSockets there ever were, and the paths they came to. */
  opened: number
  paths: string[]
  /** Requests to the sync routes, scripts aside. */
  requests: number
}

export async function counted(server: Server): Promise<Counted> {
  const answer = await fetch(`http://localhost:${server.port}/sockets`)
  // reason: the site's own answer
  return (await answer.json()) as Counted
}
