// The answer of `GET /api/sync/:entity`: what changed since a version, or the whole table where that cannot be said.
import { printChangesBody, printPlainChange } from '../core/index.ts'
import type { Gate } from './gate.ts'
import { jsonAnswer } from './http.ts'
import type { SyncAnswer } from './http.ts'
import { plainChange } from './frames.ts'
import { asChanged } from './reconcile.ts'
import type { Changes } from './store.ts'
import type { ReadStore } from './views.ts'

const pageRows = 1_000

type PullStore = Pick<ReadStore, 'head' | 'changes' | 'snapshot'>

/**
 * Each page is read when it is its turn; who takes its answer slowly holds no place between two of them. Only the first
 * question, before anything is answered, can be sent away.
 */
export function inTurn(store: PullStore, gate: Gate): PullStore {
  let again = false
  const read = <T>(work: () => Promise<T>): Promise<T> => {
    const known = again
    again = true
    return gate.run(work, known)
  }
  return {
    head: () => read(() => store.head()),
    changes: query => read(() => store.changes(query)),
    snapshot: query => read(() => store.snapshot(query)),
  }
}

export async function changesSince(
  store: PullStore,
  entity: string,
  since: number,
  limit: number,
): Promise<SyncAnswer> {
  const head = await store.head()
  if (since === 0 || since < head.horizon || since > head.seq)
    return jsonAnswer(200, wholeTable(store, entity, since !== 0))
  const page = await store.changes({ entities: [entity], after: since, limit, form: 'object' })
  if (overtaken(page, since)) return jsonAnswer(200, wholeTable(store, entity, true))
  const changes = page.rows.map((row, i) => plainChange(row, page.rows[i - 1]?.seq ?? since))
  return jsonAnswer(200, printChangesBody(entity, page.to.seq, changes, { more: page.more }))
}

/** Whether a cleanup may have forgotten deletes above `from` before this page was read. */
function overtaken({ to, horizon }: Changes, from: number): boolean {
  return to.seq > from && horizon > from
}

/** Streamed: pages of the table, then what changed while they were read. The version comes last, when it is known. */
async function* wholeTable(store: PullStore, entity: string, reset: boolean): AsyncGenerator<string> {
  yield `{"entity":${JSON.stringify(entity)}`
  let version: number | null = null
  // A cleanup overtook the reading: rows that were sent may be deleted, and nobody knows which. What was sent cannot be
  // taken back, but of members with the same name JSON parsers keep the last, so the list begins once more.
  while (version === null) version = yield* tableOnce(store, entity)
  yield `,"version":${version}${reset ? ',"reset":true' : ''}}`
}

/** The member `changes`; the version that it reaches, or null where it is worth nothing. */
async function* tableOnce(store: PullStore, entity: string): AsyncGenerator<string, number | null> {
  yield ',"changes":['
  let comma = ''
  let after: string | null = null
  let first: number | null = null
  do {
    const page = await store.snapshot({ entity, after, limit: pageRows, form: 'object' })
    first ??= page.head.seq
    const rows = asChanged(entity, page.rows).map(row =>
      printPlainChange(plainChange({ ...row, created: true }, 0)),
    )
    if (rows.length > 0) yield comma + rows.join(',')
    if (rows.length > 0) comma = ','
    after = page.next
  } while (after !== null)
  let version = first ?? 0
  for (let more = true; more;) {
    const page = await store.changes({ entities: [entity], after: version, limit: pageRows, form: 'object' })
    const previous = version
    if (overtaken(page, previous)) {
      yield ']'
      return null
    }
    const rows = page.rows.map(row => printPlainChange(plainChange(row, previous)))
    if (rows.length > 0) yield comma + rows.join(',')
    if (rows.length > 0) comma = ','
    version = page.to.seq
    more = page.more
  }
  yield ']'
  return version
}
