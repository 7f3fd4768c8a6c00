// The answer of `GET /api/sync/:entity`: what changed since a version, or the whole table where that cannot be said.
import { printChangesBody } from '../core/index.ts'
import { bareTexts, needsCells, placed } from './bare.ts'
import type { BareDialect } from './bare.ts'
import type { Gate } from './gate.ts'
import { jsonAnswer } from './http.ts'
import type { SyncAnswer } from './http.ts'
import { asCreated, overtaken } from './paging.ts'
import type { Changes } from './store.ts'
import type { ReadStore } from './viewed.ts'

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

export interface Pulling {
  readonly dialect: BareDialect
  readonly entity: string
  readonly since: number
  /** Rows of a page. */
  readonly limit: number
}

export async function changesSince(store: PullStore, asked: Pulling): Promise<SyncAnswer> {
  const { dialect, entity, since } = asked
  const head = await store.head()
  if (since === 0 || since < head.horizon || since > head.seq)
    return jsonAnswer(200, answered(store, asked, null, since !== 0))
  const first = await changesAfter(store, asked, { since, after: since, limit: asked.limit })
  if (overtaken(first, since)) return jsonAnswer(200, answered(store, asked, null, true))
  // a field that was written before the end of a page may stand in a later one, with its row: no page is an answer
  if (first.more && needsCells(dialect)) return jsonAnswer(200, answered(store, asked, first, false))
  const page = { entity, version: first.to.seq, more: first.more }
  return jsonAnswer(200, printChangesBody(page, bareTexts(dialect, placed(first.rows, since), since)))
}

function changesAfter(
  store: PullStore,
  { dialect, entity }: Pulling,
  page: { since: number; after: number; limit: number },
): Promise<Changes> {
  return store.changes({ ...page, entities: [entity], form: 'object', cells: needsCells(dialect) })
}

/** Where a list of changes ends; null: a cleanup overtook the reading, and it is worth nothing. */
type Texts = AsyncGenerator<readonly string[], number | null>

/** Streamed: what changed, `first` being read already, or the whole table. The version comes last, when it is known. */
async function* answered(
  store: PullStore,
  asked: Pulling,
  first: Changes | null,
  reset: boolean,
): AsyncGenerator<string> {
  yield `{"entity":${JSON.stringify(asked.entity)}`
  let version = first === null ? null : yield* listed(changed(store, asked, asked.since, first))
  const again = reset || (first !== null && version === null)
  // A cleanup overtook the reading: rows that were sent may be deleted, and nobody knows which. What was sent cannot be
  // taken back, but of members with the same name JSON parsers keep the last, so the list begins once more.
  while (version === null) version = yield* listed(table(store, asked))
  yield `,"version":${version}${again ? ',"reset":true' : ''}}`
}

/** The member `changes`. */
async function* listed(texts: Texts): AsyncGenerator<string, number | null> {
  yield ',"changes":['
  let comma = ''
  for (;;) {
    const { done, value } = await texts.next()
    if (done === true) {
      yield ']'
      return value
    }
    if (value.length === 0) continue
    yield comma + value.join(',')
    comma = ','
  }
}

/** Pages of the table, then what changed while they were read. */
async function* table(store: PullStore, asked: Pulling): Texts {
  const { dialect, entity } = asked
  let after: string | null = null
  let first: number | null = null
  do {
    const page = await store.snapshot({ entity, after, limit: pageRows, form: 'object' })
    first ??= page.head.seq
    const rows = asCreated(entity, page.rows)
    yield bareTexts(
      dialect,
      rows.map(row => ({ ...row, previous: 0 })),
      0,
    )
    after = page.next
  } while (after !== null)
  const since = first ?? 0
  const page = await changesAfter(store, asked, { since, after: since, limit: pageRows })
  return yield* changed(store, asked, since, page)
}

async function* changed(store: PullStore, asked: Pulling, since: number, first: Changes): Texts {
  for (let page = first, after = since; ;) {
    if (overtaken(page, after)) return null
    yield bareTexts(asked.dialect, placed(page.rows, after), since)
    after = page.to.seq
    if (!page.more) return after
    page = await changesAfter(store, asked, { since, after, limit: pageRows })
  }
}
