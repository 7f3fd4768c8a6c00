// The canonical protocol by hand: what our client says, without our client.
import { openLine } from './wire.ts'
import type { Line, WireFrame } from './wire.ts'

export interface Place {
  readonly epoch: string
  readonly seq: number
  readonly check: number
}

export interface Result {
  readonly n: number
  readonly status: string
  readonly version: number
  readonly error?: { readonly code: string }
  readonly ids?: Record<string, string>
}

export interface Session extends Line {
  readonly welcome: WireFrame & { epoch: string; head: number; last: number; user: string }
  mutate(mutations: readonly object[], acked?: number): void
  /** The results that came so far, in order of arrival. */
  results(): Result[]
  /** Everything of `entity` up to the next whole batch, from nothing or from a cursor. */
  load(
    entity: string,
    cursor?: Place | null,
    shape?: string | null,
  ): Promise<{ frames: WireFrame[]; to: Place }>
}

let made = 0

export async function openSession(
  url: string,
  hello: { client?: string; lead?: number; acked?: number } = {},
): Promise<Session> {
  const line = await openLine(url)
  line.send({
    type: 'hello',
    protocol: 1,
    client: hello.client ?? `client${++made}`,
    lead: hello.lead ?? 1,
    acked: hello.acked ?? 0,
  })
  const first = await line.next(frame => frame.type === 'welcome' || frame.type === 'error', 'a welcome')
  const welcome = first as Session['welcome']
  return {
    ...line,
    welcome,
    mutate: (mutations, acked = 0) => line.send({ type: 'mutate', mutations, acked }),
    results: () =>
      line.frames.flatMap(frame => (frame.type === 'results' ? (frame['results'] as Result[]) : [])),
    async load(entity, cursor = null, shape = null) {
      const frames: WireFrame[] = []
      line.send({ type: 'subscribe', scopes: [{ entity, cursor, marks: [], shape }] })
      for (;;) {
        const frame = await line.next(
          one => one.type === 'batch' || one.type === 'reset' || one.type === 'error',
          `a batch of ${entity}`,
        )
        frames.push(frame)
        if (frame.type !== 'batch' || frame['to'] !== undefined) return { frames, to: frame['to'] as Place }
      }
    },
  }
}

export function create(
  n: number,
  entity: string,
  id: string | number,
  data: object,
  more: object = {},
): object {
  return { n, base: null, stamp: null, writes: [{ entity, id: String(id), action: 'create', data }], ...more }
}

export function update(
  n: number,
  entity: string,
  id: string | number,
  data: object,
  more: object = {},
): object {
  return { n, base: null, stamp: null, writes: [{ entity, id: String(id), action: 'update', data }], ...more }
}
