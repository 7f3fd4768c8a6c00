// How every event of the replica ends: overlays are folded anew and compared with what was on screen, and what has to be
// saved and told is gathered. Neighbours: `state`, whose `touch` noted what may have changed; the root behind it.
import type { Row } from '../core/index.ts'
import { conflictsName, sameJson } from '../core/index.ts'
import { fold, nothingYet, shownOf } from './state.ts'
import type { Change, ChangeAction, Effect, Kept, Source, State } from './state.ts'
import type { Overlay } from './store.ts'

/** Ends an event: rules R1 and R6, and one `save` and one `changed` for all that happened. */
export function conclude(state: State): Effect[] {
  const views = new Map<string, Set<string> | null>()
  const changes: Change[] = []
  const overlays: Overlay[] = []
  for (const kept of state.entities.values()) {
    const { name: entity, rows, touched } = kept
    if (touched.size > 0) concludeEntity(state, kept, views, changes, overlays)
    if (!kept.fresh) continue
    kept.fresh = false
    const ids = Array.from(rows.values()).flatMap(({ id, row }) => (kept.shows(id, row) ? id : []))
    if (ids.length === 0) continue
    views.set(entity, null)
    changes.push({
      entity,
      ids,
      action: 'create',
      source: 'server',
      version: kept.cursor?.seq ?? 0,
    })
  }
  const letters = [...state.dead.keys()].join()
  // they are read with the records (rule I2)
  if (letters !== state.letters) views.set(conflictsName, null)
  const { puts, removes, discards, refusals, commits, out } = state
  if (puts.size + removes.length + commits.length + overlays.length > 0 || state.saveIdentity) {
    const identity = state.saveIdentity ? state.identity : null
    // before frames and promises: what is said was saved first, where the order matters
    const work = { identity, puts: [...puts.values()], removes, discards, refusals, commits, overlays }
    out.unshift({ do: 'save', work })
  }
  if (changes.length > 0 || views.size > 0) out.unshift({ do: 'changed', changes, views })
  Object.assign(state, { ...nothingYet(), letters })
  return out
}

function concludeEntity(
  state: State,
  kept: Kept,
  views: Map<string, Set<string> | null>,
  changes: Change[],
  overlays: Overlay[],
): void {
  const seen = new Set<string>()
  const groups = new Map<string, { readonly ids: string[]; was: Row | undefined }>()
  const replaced = state.replaced.get(kept)
  for (const [id, { before: there, seen: before, had, source: cause }] of kept.touched) {
    const after = shownOf(kept, id, refold(state, kept, id, there, overlays))
    if (before !== after) seen.add(id)
    if ((cause === null || cause === 'gone') && before === after) continue
    const source = cause === 'gone' ? 'rollback' : cause
    const server = source === 'server'
    const now = server ? shownOf(kept, id, kept.rows.get(id)?.row) : after
    const was = server ? had : before
    if (!(now ?? was) || replaced?.has(id) === true) continue
    const key = `${source ?? 'server'} ${now ? (was ? 'update' : 'create') : 'delete'}`
    const group = groups.get(key) ?? { ids: [], was }
    groups.set(key, group)
    group.ids.push(id)
    group.was = was
  }
  kept.touched.clear()
  if (seen.size > 0) views.set(kept.name, seen)
  const version = kept.cursor?.seq ?? 0
  for (const [key, { ids, was }] of groups) {
    state.was = was
    const [source, action] = key.split(' ') as [Source, ChangeAction] // reason: the key was made of them above
    const renamed = new Set(ids)
    const mine = Array.from(replaced ?? [], ([from, to]) => ({ from, to })).filter(({ to }) =>
      renamed.has(to),
    )
    changes.push({
      entity: kept.name,
      ids,
      action,
      source,
      version,
      ...(mine.length === 0 ? {} : { replaced: mine }),
    })
  }
}

/** Folds one row anew; an equal view keeps its reference. */
function refold(
  state: State,
  kept: Kept,
  id: string,
  before: Row | undefined,
  overlays: Overlay[],
): Row | undefined {
  const queued = kept.queue.get(id)
  const old = kept.overlays.get(id)
  const under = kept.rows.get(id)
  let after: Row | null | undefined
  if (queued === undefined) {
    kept.overlays.delete(id)
    kept.own.delete(id)
    kept.gone.delete(id)
    if (old !== undefined) overlays.push({ entity: kept.name, id, row: undefined })
    after = under?.row
    if (under !== undefined && after !== before && sameJson(before, after)) {
      kept.rows.set(id, { ...under, row: (after = before ?? under.row) })
    }
    return after
  }
  after = fold(state, kept, id, queued)
  if (before !== undefined && sameJson(before, after)) after = before
  kept.overlays.set(id, after)
  if (old === undefined || !sameJson(old, after)) overlays.push({ entity: kept.name, id, row: after })
  return after ?? undefined
}
