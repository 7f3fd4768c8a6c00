// `pushChange`: what a page writes, and when it is told what became of it. In the second script.
// Neighbours on the line: `face` before it, the client behind it.
import type { BareClient as Client, Id, WriteHandle } from '../client/index.ts'
import { idOfValue, SyncError } from '../core/index.ts'
import type { Action } from '../core/index.ts'
import type { PushResult, RowData } from './face.ts'

export async function push(
  client: Client,
  entity: string,
  id: Id | null | undefined,
  action: Action,
  data: RowData,
): Promise<PushResult> {
  const written = write(client, entity, id ?? null, action, data)
  const unstored = await written.persisted.then(
    () => null,
    (error: SyncError) => error,
  )
  return new Promise((resolve, reject) => {
    const check = (): void => {
      if (client.online) return
      if (unstored === null) resolve({ status: 'queued', entity, id: written.id, version: null })
      else reject(unstored)
    }
    const stop = client.on('state', check)
    check()
    written.confirmed
      .then(({ status, id, version }) => resolve({ status, entity, id, version }), reject)
      .finally(stop)
  })
}

function write(client: Client, entity: string, id: Id | null, action: Action, data: RowData): WriteHandle {
  if (action === 'create') return client.create(entity, { ...(id === null ? {} : { id }), ...data })
  if (id === null) throw new SyncError('INVALID_ID', `name the row to ${action}`)
  if (action === 'update') return client.update(entity, id, withoutId(data, id))
  if (action === 'delete') return client.delete(entity, id)
  throw new SyncError('INVALID_MESSAGE', `unknown action '${String(action)}'`)
}

/** Pages send the whole row back, where the id is often text and the column a number: that is no change of the key. */
function withoutId(data: RowData, id: Id): RowData {
  const { id: own, ...rest } = data
  return own === undefined || idOfValue(own) === idOfValue(id) ? rest : data
}
