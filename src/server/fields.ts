// What became of pushed fields, and the fields of one row: looked up as the user sees them. Neighbours: the routes and the
// connection, which push; the acceptor, which has stored or refused; `rhtmx-field` in core, which counts and prints.
import { fieldOutcome, latestFields, nativeId, printFieldAck, SyncError } from '../core/index.ts'
import type { FieldOutcome, FieldPush, MutationResult, StoredRow } from '../core/index.ts'
import { Frame } from './frames.ts'
import { jsonAnswer } from './http.ts'
import type { SyncAnswer } from './http.ts'
import type { EntityInfo, LookedUp, Sender, ServerStore } from './store.ts'
import { shown } from './views.ts'
import type { View, Views } from './views.ts'

type Asked = Pick<ServerStore, 'entities' | 'look' | 'head'>

/** The `push_ack` of a `push_fields`. */
export async function ackFields(
  store: Asked,
  push: FieldPush,
  results: readonly MutationResult[],
  sender: Sender,
  views: Views,
): Promise<Frame> {
  return new Frame(printFieldAck(push, results, await settled(store, push, results, sender, views)))
}

/** The answer to a POST. */
export async function answerFields(
  store: Asked,
  push: FieldPush,
  results: readonly MutationResult[],
  sender: Sender,
  views: Views,
): Promise<SyncAnswer> {
  const fields = await settled(store, push, results, sender, views)
  const head = await store.head()
  return jsonAnswer(200, JSON.stringify({ entity: push.entity, version: head.seq, ...fields }))
}

/** Throws NOT_FOUND, also where there is a row that the user does not see: nobody learns the difference. */
export async function answerLatest(
  store: Asked,
  { name, integerKey }: EntityInfo,
  asked: string,
  views: Views,
): Promise<SyncAnswer> {
  const [found] = await store.look(name, [asked])
  const { row } = asSeen(views.rights(name), found)
  if (found === undefined || row === null)
    throw new SyncError('NOT_FOUND', `there is no row '${asked.slice(0, 80)}' in '${name}'`)
  const { id, standing } = found
  const fields = latestFields(row, standing)
  const version = Math.max(0, ...fields.map(field => field.version))
  return jsonAnswer(
    200,
    JSON.stringify({ entity: name, id: nativeId(id, integerKey), entity_id: id, version, fields }),
  )
}

/** Only rows whose writes met something are looked up. */
async function settled(
  store: Asked,
  push: FieldPush,
  results: readonly MutationResult[],
  sender: Sender,
  views: Views,
): Promise<FieldOutcome> {
  const met = new Map<number, string>()
  for (const [place, { status }] of results.entries()) {
    const id = push.mutations[place]?.writes[0]?.id
    if (id !== undefined && (status === 'conflict' || status === 'merged')) met.set(place, id)
  }
  const ids = [...new Set(met.values())]
  // stored is stored, also where what stands there cannot be said for a moment
  const found = ids.length === 0 ? [] : await store.look(push.entity, ids, sender).catch(() => [])
  const view = views.rights(push.entity)
  const byId = new Map(found.map((row, i) => [ids[i], asSeen(view, row)]))
  const stored = new Map<number, StoredRow>()
  for (const [place, id] of met) stored.set(place, byId.get(id) ?? unseen)
  return fieldOutcome(push, results, stored, store.entities.get(push.entity)?.integerKey === true)
}

const unseen: StoredRow = {
  row: null,
  standing: { exists: false, whole: null, cells: {}, gone: null, seq: 0 },
}

/** Of a row that is not there nobody can say whether the user might see it: then nothing is said of its end either. */
function asSeen(view: View | null, found: LookedUp | undefined): StoredRow {
  if (found === undefined) return unseen
  const row = shown(view, found.row)
  return row === null && view !== null && view.matches !== null ? unseen : { row, standing: found.standing }
}
