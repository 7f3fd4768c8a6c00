// What a connection may use of the engine.
import type { Acceptor } from './accept.ts'
import type { ByteBudget } from './budget.ts'
import type { Connections } from './connections.ts'
import type { Doorkeeper } from './doorkeeper.ts'
import type { Logger, ServerEnv } from './env.ts'
import type { Gate } from './gate.ts'
import type { Headcount } from './headcount.ts'
import type { Form, Hub } from './hub.ts'
import type { ServerLimits } from './limits.ts'
import type { Meters } from './meter.ts'
import type { ServerStore } from './store.ts'

export interface EngineParts {
  readonly env: ServerEnv
  readonly log: Logger
  readonly limits: ServerLimits
  readonly store: ServerStore
  readonly acceptor: Acceptor
  readonly hubs: Readonly<Record<Form, Hub>>
  readonly connections: Connections
  readonly doorkeeper: Doorkeeper
  readonly headcount: Headcount
  readonly meters: Meters
  readonly budget: ByteBudget
  /** Long readings go through it. */
  readonly gate: Gate
  /** Makes sure that the feed of this form reads along. */
  listening(form: Form): Promise<void>
  /** Something may have changed: read the log and flush; resolves when what was committed before the call is flushed. */
  wake(): Promise<void>
}
