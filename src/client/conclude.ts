// How every event of the replica ends: overlays are folded anew and compared with what was on screen, and what has to be
// saved and told is gathered. Neighbours: `state`, whose `touch` noted what may have changed; the root behind it.
import type { Row } from '../core/index.ts'
import { sameJson } from '../core/index.ts'
import { shownOf } from './state.ts'
import type { Change, ChangeAction, Effect, Kept, Source, State } from './state.ts'

/** Ends an event: rules R1 and R6, and one `save` and one `changed` for all that happened. */
export function conclude(state: State): Effect[] {
  const views = new Map<string, Set<string> | null>()
  const changes: Change[] = []
  for (const kept of state.entities.values()) {
    const { name: entity, rows, touched } = kept
    if (touched.size > 0) concludeEntity(state, kept, views, changes)
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
  const { out } = state
  const work = state.desk?.work(state, views)
  // before frames and promises: what is said was saved first, where the order matters
  if (work) out.unshift({ do: 'save', work })
  if (changes.length > 0 || views.size > 0) out.unshift({ do: 'changed', changes, views })
  state.out = []
  state.replaced = new Map()
  return out
}

function concludeEntity(
  state: State,
  kept: Kept,
  views: Map<string, Set<string> | null>,
  changes: Change[],
): void {
  const seen = new Set<string>()
  const groups = new Map<string, { readonly ids: string[]; was: Row | undefined }>()
  const replaced = state.replaced.get(kept)
  for (const [id, { before: there, seen: before, had, source: cause }] of kept.touched) {
    const after = shownOf(kept, id, refold(state, kept, id, there))
    if (before !== after) seen.add(id)
    const under = shownOf(kept, id, kept.rows.get(id)?.row)
    // a row that came and went at once was there under a pending write only
    const theirs = cause === 'server' && (under ?? had)
    if ((cause === null || cause === 'gone' || (cause === 'server' && !theirs)) && before === after) continue
    const source = cause === 'gone' ? 'rollback' : cause
    const now = theirs ? under : after
    const was = theirs ? had : before
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
    const more = state.desk?.replaced(state, kept, ids)
    changes.push({ entity: kept.name, ids, action, source, version, ...more })
  }
}

/** Folds one row anew; an equal view keeps its reference. */
function refold(state: State, kept: Kept, id: string, before: Row | undefined): Row | undefined {
  const over = state.desk?.fold(state, kept, id, before)
  if (over !== undefined) return over ?? undefined
  const under = kept.rows.get(id)
  if (under === undefined || under.row === before || !sameJson(before, under.row)) return under?.row
  const row = before ?? under.row
  kept.rows.set(id, { ...under, row })
  return row
}
