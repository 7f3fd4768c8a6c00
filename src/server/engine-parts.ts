// What a connection may use of the engine.
import type { Limits } from '../core/index.ts'
import type { Acceptor } from './accept.ts'
import type { Connections } from './connections.ts'
import type { Doorkeeper } from './doorkeeper.ts'
import type { Logger, ServerEnv } from './env.ts'
import type { Form, Hub } from './hub.ts'
import type { ServerStore } from './store.ts'

export interface ServerLimits extends Limits {
  /** Bytes that may wait for one connection; beyond it data stops until it has drained. */
  readonly maxBuffered: number
}

export interface EngineParts {
  readonly env: ServerEnv
  readonly log: Logger
  readonly limits: ServerLimits
  readonly store: ServerStore
  readonly acceptor: Acceptor
  readonly hubs: Readonly<Record<Form, Hub>>
  readonly connections: Connections
  readonly doorkeeper: Doorkeeper
  /** Makes sure that the feed of this form reads along. */
  listening(form: Form): Promise<void>
  /** Something may have changed: read the log and flush; resolves when what was committed before the call is flushed. */
  wake(): Promise<void>
}
