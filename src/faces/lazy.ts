// Loads the second script when it is needed. A tag and a global instead of `import()`: it works from other origins
// without CORS, and what failed once can be tried again in every browser.
import type { BareClient as Client, Change, Conflicts, Engine, Home, Id, Transport } from '../client/index.ts'
import type { Action } from '../core/index.ts'
import type { PageEvents, ReadyDetail } from './events.ts'
import type { PushResult, RowData } from './face.ts'
import type { ScriptOptions } from './script.ts'

/** What the second script makes of a page. */
export interface Lazy {
  sseTransport(url: string): Transport
  longPollTransport(url: string): Transport
  push(entity: string, id: Id | null | undefined, action: Action, data: RowData): Promise<PushResult>
  /** What a marked form was about to send becomes a queued write. */
  queueForm(event: Event): void
  /** Another script of the page names more. Resolves when that may be written to, with what waits for its first sync. */
  join(more: Joining): Promise<() => Promise<void>>
  readonly conflicts: Conflicts
}

export type Joining = Pick<ScriptOptions, 'url' | 'entities' | 'where' | 'autoRefresh' | 'debug'>

/** What the first script lends it. */
export interface Lent {
  readonly client: Client
  readonly engine: Engine
  readonly page: Document
  readonly url: string
  readonly entities: readonly string[]
  readonly autoRefresh: boolean
  readonly debug: boolean
  /** Of its strategy. */
  readonly strategyText: string
  /** Whose script made the client. */
  readonly kind: ReadyDetail['client']
  readonly tell: PageEvents['tell']
  /** Each change from now on, and at once those that were told to nobody yet. */
  follow(this: void, listener: (change: Change) => void): void
  /** Of which nothing was here when they were named: the first copy is no change. */
  readonly fresh: Set<string>
  /** It is open, or about to be. */
  done(this: void, lazy: Lazy): void
  log(this: void, message: string): void
  complain(this: void, message: string, cause?: unknown): void
}

declare global {
  interface Window {
    readonly rhtmxLazy?: (lent: Lent) => Home
  }
}

/** What it puts on the window. It can be tried again. */
export function loadScript(page: Document, address: string): Promise<(lent: Lent) => Home> {
  return new Promise((resolve, reject) => {
    const tag = page.createElement('script')
    tag.onload = tag.onerror = () => {
      tag.remove()
      if (window.rhtmxLazy === undefined) reject(new Error(`${address} could not be loaded`))
      else resolve(window.rhtmxLazy)
    }
    tag.src = address
    page.head.append(tag)
  })
}
