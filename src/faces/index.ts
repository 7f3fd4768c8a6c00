// The door of the faces. `import type {} from 'syncline/rhtmx'` gives a page's TypeScript the global and the events.
import type { ChangedDetail, ReadyDetail, RejectedDetail, StateDetail } from './events.ts'
import type { RhtmxSync } from './rhtmx.ts'

export { createRhtmxSync } from './rhtmx.ts'
export type { PushResult, RhtmxStatus, RhtmxSync, RowData } from './rhtmx.ts'
export type { ChangedDetail, ChangedRow, ReadyDetail, RejectedDetail, StateDetail } from './events.ts'
export type { ScriptOptions } from './script.ts'
export type { ConnectionState } from './words.ts'

declare global {
  interface Window {
    readonly rhtmxSync: RhtmxSync
  }
  interface GlobalEventHandlersEventMap {
    'rhtmx:connection:state': CustomEvent<StateDetail>
    'rhtmx:sync:ready': CustomEvent<ReadyDetail>
    'rhtmx:mutation:rejected': CustomEvent<RejectedDetail>
    [changed: `rhtmx:${string}:changed`]: CustomEvent<ChangedDetail>
  }
}
