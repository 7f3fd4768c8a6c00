// The door of the faces. `import type {} from 'syncline/rhtmx'` gives a page's TypeScript the global and the events.
import type { AuthDetail, ChangedDetail, ReadyDetail, RejectedDetail, StateDetail } from './events.ts'
import type { FormFailedDetail, QueuedDetail } from './forms.ts'
import type { RhtmxSync } from './rhtmx.ts'

export { createRhtmxSync } from './rhtmx.ts'
export type { PushResult, RhtmxStatus, RhtmxSync, RowData } from './rhtmx.ts'
export type {
  AuthDetail,
  ChangedDetail,
  ChangedRow,
  ReadyDetail,
  RejectedDetail,
  StateDetail,
} from './events.ts'
export type { FormFailedDetail, QueuedDetail } from './forms.ts'
export type { InitOptions, ScriptOptions } from './script.ts'
export type { ConnectionState } from './words.ts'

declare global {
  interface Window {
    readonly rhtmxSync: RhtmxSync
  }
  interface GlobalEventHandlersEventMap {
    'rhtmx:connection:state': CustomEvent<StateDetail>
    'rhtmx:sync:ready': CustomEvent<ReadyDetail>
    'rhtmx:mutation:rejected': CustomEvent<RejectedDetail>
    'rhtmx:auth:required': CustomEvent<AuthDetail>
    'rhtmx:form:queued': CustomEvent<QueuedDetail>
    'rhtmx:form:failed': CustomEvent<FormFailedDetail>
    [changed: `rhtmx:${string}:changed`]: CustomEvent<ChangedDetail>
  }
}
