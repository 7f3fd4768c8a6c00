// What a user may see (rules V1 to V6): of each entity a view, that is a predicate over rows and a list of columns. All that
// leaves the server passes here: live rows by `see`, everything that is read from the store by `viewed`. There is one
// judge of a row, the predicate; SQL is only told what narrows the reading down.
import { columnsOfFilter, equalitiesOf, rowName, scoped, SyncError } from '../core/index.ts'
import type { AccessUser, EntityShape, Equality, ErrorBody, Filter, Json, Row } from '../core/index.ts'
import type { Logger } from './env.ts'
import { hashOf } from './hash.ts'
import { checkWish, wishOf } from './scope.ts'
import type { Wish } from './scope.ts'
import { slicesOf } from './slices.ts'
import { testOf } from './windows.ts'
import type { Members, Parts } from './windows.ts'
import type { ChangedRow, Changes, EntityInfo, Move, RowForm } from './store.ts'

/** Null in the place of a view: everything. */
export interface View {
  readonly entity: string
  /** Equal for users who see the same: they share frames, and a cursor that was had with another one is healed. */
  readonly key: string
  /** As its users see it. */
  readonly shape: EntityShape
  /** Null: every row. */
  readonly matches: ((row: Row) => boolean) | null
  readonly where: readonly Equality[]
  /** The columns that it goes by. */
  readonly by: readonly string[]
  /** The places of its columns among those of the table; null: all. */
  readonly columns: readonly number[] | null
  /** Null: every row that matches is shown. */
  readonly parts: Parts | null
  readonly info: EntityInfo
}

/** A changed row with what routed it before, since the place that was asked for. */
export interface SeenRow extends ChangedRow {
  readonly was?: readonly Row[]
  /** It may have moved here; what became of it a later page says, or nothing did. */
  readonly beyond?: true
}

/** One user's views, made when they are asked for. */
export class Views {
  #user: AccessUser
  readonly #log: Logger
  readonly #entities: ReadonlyMap<string, EntityInfo>
  readonly #views = new Map<string, Made>()
  /** The same without what the user does not want. */
  readonly #rights = new Map<string, Made>()
  readonly #wishes = new Map<string, Wish>()
  /** Which rows the windows of an entity hold, once they were looked for. */
  readonly members = new Map<string, Members>()

  constructor(user: AccessUser, entities: ReadonlyMap<string, EntityInfo>, log: Logger) {
    this.#user = user
    this.#log = log
    this.#entities = entities
  }

  get user(): AccessUser {
    return this.#user
  }

  /** The same user, described otherwise. */
  renew(user: AccessUser): void {
    this.#user = user
    this.#views.clear()
    this.#rights.clear()
  }

  /** From now on the user wants only these rows of it, of those that they may see. Why not, where that cannot be. */
  narrow(entity: string, asked: Row | undefined): ErrorBody | null {
    const info = this.#entities.get(entity)
    if (info === undefined) return null
    try {
      const wish = asked === undefined ? undefined : wishOf(asked)
      if (wish !== undefined) checkWish(info, this.rights(entity), wish)
      if (wish === undefined) this.#wishes.delete(entity)
      else this.#wishes.set(entity, wish)
      this.#views.delete(entity)
      this.members.delete(entity)
      return null
    } catch (error) {
      if (error instanceof SyncError) return error.toJSON()
      throw error
    }
  }

  /** Null: everything. Throws INTERNAL where a rule fails or returns what it must not: nothing is shown then. */
  of(entity: string): View | null {
    const wish = this.#wishes.get(entity)
    return wish === undefined ? this.rights(entity) : this.#find(this.#views, entity, wish)
  }

  /** What the user may see, wanted or not. */
  rights(entity: string): View | null {
    return this.#find(this.#rights, entity)
  }

  #find(made: Map<string, Made>, entity: string, wish?: Wish): View | null {
    const info = this.#entities.get(entity)
    if (info === undefined || (info.definition.access === undefined && wish === undefined)) return null
    const known = made.get(entity)
    // a schema change makes another info
    if (known?.info === info) return known.view
    const view = this.#make(info, wish)
    made.set(entity, { info, view })
    return view
  }

  #make(info: EntityInfo, wish: Wish | undefined): View | null {
    try {
      return makeView(info, this.#user, wish)
    } catch (cause) {
      this.#log.error(
        { err: cause, entity: info.name, user: this.#user.id },
        'syncline: an access rule failed',
      )
      throw new SyncError(
        'INTERNAL',
        `the access rules of '${info.name}' failed; the server's log says why`,
        {
          cause,
        },
      )
    }
  }

  hasWindows(entity: string): boolean {
    return this.of(entity)?.parts != null
  }

  /** How its rows look to this user. */
  shapeOf(entity: string): EntityShape | undefined {
    return (this.of(entity) ?? this.#entities.get(entity))?.shape
  }

  /** The same text where they see the same of these entities; empty: all. */
  keyOf(entities: Iterable<string>): string {
    const keys = Array.from(entities, entity => this.of(entity)?.key ?? '')
    return keys.some(key => key !== '') ? keys.join('\n') : ''
  }

  /** Before anybody has said what they want. */
  get shapes(): Readonly<Record<string, EntityShape>> {
    const shapes = Array.from(
      this.#entities,
      ([name, info]) => [name, this.rights(name)?.shape ?? info.shape] as const,
    )
    return Object.fromEntries(shapes)
  }
}

interface Made {
  readonly info: EntityInfo
  readonly view: View | null
}

function makeView(info: EntityInfo, user: AccessUser, wish: Wish | undefined): View | null {
  const { name, definition, shape } = info
  const rule = definition.access?.read?.(user) ?? true
  const columns = columnsFor(info, user)
  if (typeof rule !== 'boolean') checkFilter(info, rule)
  const names = columns?.map(place => shape.columns[place]?.[0]) ?? null
  const rights = rule === true && names === null ? '' : JSON.stringify([rule, names])
  if (rights === '' && wish === undefined) return null
  const filter = both(rule, wish && anyOf(wish))
  const text = wish?.text ?? ''
  const kept = columns === null ? shape.columns : shape.columns.filter((_, place) => columns.includes(place))
  return {
    entity: name,
    key: scoped(rights, text),
    // whoever comes with a cursor of another view holds rows that this one may not have, and the other way round
    shape: { ...shape, columns: kept, hash: scoped(`${shape.hash}${rights && `.${hashOf(rights)}`}`, text) },
    matches: testOf(filter),
    where: lookedFor(info, filter),
    by: typeof filter === 'boolean' ? [] : [...columnsOfFilter(filter)],
    columns,
    parts: wish === undefined || wish.windows.length === 0 ? null : partsOf(info, rule, wish),
    info,
  }
}

/** Every row that may be wanted: of a window, all that it could hold. */
function anyOf({ filters, windows }: Wish): Filter<Row> | true {
  const all = [...filters, ...windows.map(({ where }) => where ?? true)]
  const [only] = all
  if (all.length === 1 && only !== undefined) return only
  const several = all.filter(one => one !== true)
  return several.length < all.length ? true : { or: several }
}

function partsOf(info: EntityInfo, rule: Filter<Row> | boolean, { filters, windows }: Wish): Parts {
  const plain = both(rule, { or: filters })
  return {
    windows: windows.map(({ where, ...more }) => {
      const filter = both(rule, where ?? true)
      return { ...more, matches: testOf(filter), where: lookedFor(info, filter) }
    }),
    plain: filters.length === 0 ? null : (testOf(plain) ?? (() => true)),
    plainWhere: lookedFor(info, plain),
  }
}

/** What a database can look for by index: nothing is found where nothing may be. */
function lookedFor({ shape }: EntityInfo, filter: Filter<Row> | boolean): Equality[] {
  if (filter === false) return [{ column: shape.key[0] ?? '', values: [] }]
  return filter === true ? [] : equalitiesOf(filter)
}

/** Of the rows that may be seen, those that are wanted. */
function both(rule: Filter<Row> | boolean, wanted: Filter<Row> | true | undefined): Filter<Row> | boolean {
  if (wanted === undefined || wanted === true || rule === false) return rule
  return rule === true ? wanted : { and: [rule, wanted] }
}

function columnsFor({ name, definition, shape }: EntityInfo, user: AccessUser): number[] | null {
  const named = definition.access?.columns?.(user)
  if (named === undefined) return null
  const names = shape.columns.map(([column]) => column)
  for (const column of named)
    if (!names.includes(column))
      throw new SyncError('INVALID_CONFIG', `access rules of '${name}' show '${column}', which is no column`)
  const kept = new Set([...named, ...shape.key])
  if (kept.size === names.length) return null
  return names.flatMap((column, place) => (kept.has(column) ? [place] : []))
}

function checkFilter({ name, routing }: EntityInfo, filter: Filter<Row>): void {
  for (const column of columnsOfFilter(filter)) {
    if (routing.includes(column)) continue
    throw new SyncError(
      'INVALID_CONFIG',
      `the read rule of '${name}' goes by '${column}': it must be a column that can be compared, and stand in by, where there is one`,
    )
  }
}

export function has(view: View, source: { readonly json: string | null }, form: RowForm): boolean {
  if (source.json === null) return false
  return view.matches === null || view.matches(routedBy(view.info, source, source.json, form))
}

const parsed = new WeakMap<object, Row>()

/** The routing columns of a row: of one that changed, many views ask one after the other. */
export function routedBy(info: EntityInfo, source: object, json: string, form: RowForm): Row {
  const known = parsed.get(source)
  if (known !== undefined) return known
  const slices = slicesOf(json, form)
  const row: Record<string, Json> = {}
  for (const [place, [column]] of info.shape.columns.entries()) {
    // reason: the store's own SQL made the text
    if (info.routing.includes(column)) row[column] = JSON.parse(slices[place] ?? 'null') as Json
  }
  parsed.set(source, row)
  return row
}

export function projected({ columns, shape }: View, json: string, form: RowForm): string {
  if (columns === null) return json
  const slices = slicesOf(json, form)
  const kept = columns.map(place => slices[place] ?? 'null')
  if (form === 'values') return kept.join(',')
  return `{${kept.map((text, i) => `${JSON.stringify(shape.columns[i]?.[0])}:${text}`).join(',')}}`
}

/**
 * A changed row as the view shows it: the row; or that it is gone, where it was there before; or null, and not even its id
 * is said.
 */
export function see(view: View, row: SeenRow, form: RowForm): ChangedRow | null {
  const { matches } = view
  const was = row.was ?? []
  if (row.json !== null && has(view, row, form)) {
    const entered = matches !== null && was.some(before => !matches(before))
    return { ...row, json: projected(view, row.json, form), created: row.created || entered }
  }
  if (matches !== null && !was.some(matches)) return null
  // whose write took it away is nobody's business
  return { ...row, json: null, created: false, temporary: null, origin: undefined }
}

/** A row that was looked up, as the user sees it. Null: not at all. */
export function shown(view: View | null, row: Row | null): Row | null {
  if (row === null || view === null) return row
  if (view.matches !== null && !view.matches(row)) return null
  return Object.fromEntries(view.shape.columns.map(([name]): [string, Json] => [name, row[name] ?? null]))
}

/** Of a row in a later page of a reading, the moves of the earlier ones are not known: it may have come into view there. */
export function mayHaveEntered({ by }: View, { cells }: ChangedRow): boolean {
  return cells !== undefined && by.some(column => Object.hasOwn(cells, column))
}

/** Rows with their moves, in `seq` order, and rows that moved here and are not among those of this page. */
export function withMoves({ rows, moves }: Changes): SeenRow[] {
  if (moves.length === 0) return [...rows]
  const byRow = new Map<string, Move[]>()
  for (const move of moves) {
    const key = rowName(move.entity, move.id)
    byRow.set(key, [...(byRow.get(key) ?? []), move])
  }
  const last = new Map(rows.map(row => [rowName(row.entity, row.id), row]))
  const seen = rows.map((row): SeenRow => {
    const key = rowName(row.entity, row.id)
    const own = byRow.get(key)
    if (own === undefined) return row
    // one that comes again in a later page is told with that what moved it after this one
    const later = last.get(key) === row ? [] : own.filter(move => move.seq > row.seq)
    if (later.length > 0) byRow.set(key, later)
    else byRow.delete(key)
    return { ...row, was: own.slice(0, own.length - later.length).map(move => move.was) }
  })
  const beyond = [...byRow.values()].flatMap(goneFor)
  return beyond.length === 0 ? seen : [...seen, ...beyond].sort((a, b) => a.seq - b.seq)
}

function goneFor(moves: readonly Move[]): SeenRow[] {
  const last = moves.at(-1)
  if (last === undefined) return []
  const was = moves.map(move => move.was)
  return [{ ...last, was, json: null, created: false, reading: 0, temporary: null, beyond: true }]
}
