// `window.RHTMXFieldSync`: the page's client field by field. Neighbours: `face`, which has the rest of its names; `inbox`.
import type { Conflicts, Encodable, Id } from '../client/index.ts'
import type { Action } from '../core/index.ts'
import { conflictsName } from '../core/index.ts'
import { conflictsIn } from './inbox.ts'
import { faceOf } from './face.ts'
import type { Face, PushResult } from './face.ts'
import { placeOf } from './page.ts'
import type { InitOptions, ScriptOptions } from './script.ts'

export interface RhtmxFieldSync extends Face {
  /**
   * Writes one field: like `pushChange`, with a patch of that field alone. With `create` it is the first field of a new
   * row; with `delete` the field is emptied, and without a field the row goes.
   */
  recordFieldChange(
    entity: string,
    id: Id | null | undefined,
    field: string | null,
    value?: Encodable,
    action?: Action,
  ): Promise<PushResult>
  /** As it is shown now; undefined where there is no such row here. */
  getField(entity: string, id: Id, field: string): Encodable | undefined
  /** What somebody wrote and did not survive, to be settled; what the server refused is in it too. */
  readonly conflicts: Conflicts
  /** Begins, where no script tag did. Afterwards it changes nothing. */
  init(options: InitOptions): RhtmxFieldSync
}

/** Asks for the records of conflicts as well, unless the page says that it does not want them. */
export function createRhtmxFieldSync(
  options: ScriptOptions & { readonly conflicts?: boolean },
  document: Document,
): RhtmxFieldSync {
  const entities =
    options.conflicts !== false ? [...new Set([...options.entities, conflictsName])] : options.entities
  const place = placeOf({ ...options, entities }, document, 'field')
  const face = faceOf(place, 'field')
  const { client, later } = place.page
  const sync: RhtmxFieldSync = Object.assign(face, {
    recordFieldChange(
      entity: string,
      id: Id | null | undefined,
      field: string | null,
      value: Encodable = null,
      action: Action = 'update',
    ): Promise<PushResult> {
      if (field === null) return face.pushChange(entity, id, action)
      const empties = action === 'delete'
      return face.pushChange(entity, id, empties ? 'update' : action, { [field]: empties ? null : value })
    },
    getField: (entity: string, id: Id, field: string) => client.get(entity, id)?.[field],
    conflicts: conflictsIn(later),
    init: () => sync,
  })
  return sync
}
