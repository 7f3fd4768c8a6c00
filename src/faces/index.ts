// The door of the faces. `import type {} from 'syncline/rhtmx'` gives a page's TypeScript the global and the events.
import type { StorageDetail } from '../client/index.ts'
import type { ConflictDetail } from './conflict-events.ts'
import type { AuthDetail, ChangedDetail, ReadyDetail, RejectedDetail, StateDetail } from './events.ts'
import type { FormFailedDetail, QueuedDetail } from './forms.ts'
import type { RhtmxFieldSync } from './rhtmx-field.ts'
import type { RhtmxSync } from './rhtmx.ts'

export { createRhtmxFieldSync } from './rhtmx-field.ts'
export { createRhtmxSync } from './rhtmx.ts'
export type { ConflictDetail } from './conflict-events.ts'
export type { Face, PushResult, RhtmxStatus, RowData } from './face.ts'
export type { RhtmxFieldSync } from './rhtmx-field.ts'
export type { RhtmxSync } from './rhtmx.ts'
export type {
  AuthDetail,
  ChangedDetail,
  ChangedRow,
  ReadyDetail,
  RejectedDetail,
  StateDetail,
} from './events.ts'
export type { FormFailedDetail, QueuedDetail } from './forms.ts'
export type { InitOptions, ScriptKind, ScriptOptions } from './script.ts'
export type { ConnectionState } from './words.ts'

declare global {
  const rhtmxSync: RhtmxSync
  const RHTMXFieldSync: RhtmxFieldSync
  const rhtmxFieldSync: RhtmxFieldSync
  interface Window {
    readonly rhtmxSync: RhtmxSync
    readonly RHTMXFieldSync: RhtmxFieldSync
    readonly rhtmxFieldSync: RhtmxFieldSync
  }
  interface GlobalEventHandlersEventMap {
    'rhtmx:connection:state': CustomEvent<StateDetail>
    'rhtmx:sync:ready': CustomEvent<ReadyDetail>
    'rhtmx:mutation:rejected': CustomEvent<RejectedDetail>
    'rhtmx:auth:required': CustomEvent<AuthDetail>
    'rhtmx:storage:failed': CustomEvent<StorageDetail>
    'rhtmx:field:conflict': CustomEvent<ConflictDetail>
    'rhtmx:form:queued': CustomEvent<QueuedDetail>
    'rhtmx:form:failed': CustomEvent<FormFailedDetail>
    [changed: `rhtmx:${string}:changed`]: CustomEvent<ChangedDetail>
  }
}
