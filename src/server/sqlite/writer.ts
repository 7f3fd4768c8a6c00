// One mutation at a time: ids made real, `decide` asked, the SQL done, its effects settled. A mutation is whole or not at
// all (rule D13): one with several writes runs in a savepoint, a single write is whole by SQLite's own rules.
import { idOfRow, isTemporaryId, SyncError, temporaryPrefix } from '../../core/index.ts'
import type { Decision, ErrorBody, ErrorCode, Json, MutationResult } from '../../core/index.ts'
import type { Accepted, Prepared, PreparedWrite } from '../store.ts'
import { realId, saveRealId } from './clients.ts'
import type { ClientKey } from './clients.ts'
import { integer, text } from './driver.ts'
import type { Connection } from './driver.ts'
import { patchEffects } from './effects.ts'
import type { Author, Carried } from './effects.ts'
import type { Catalog, Entity } from './entity.ts'
import { isGlobal, textOf } from './failure.ts'
import { standingOf } from './lines.ts'
import { Poisoned } from './request.ts'
import type { AcceptRequest } from './request.ts'
import type { Rows } from './rows.ts'
import { deleteRow, insertRow, updateRow, valuesOf } from './statements.ts'
import { keyOf, tailHead } from './tail.ts'

export type Outcome =
  | {
      readonly kind: 'done'
      readonly status: MutationResult['status']
      readonly error?: ErrorBody
      readonly lost?: Lost
      readonly ids?: Record<string, string>
    }
  | Extract<Accepted, { kind: 'resolve' }>

interface Stored {
  readonly lost: readonly string[]
  readonly merged: boolean
}

export type Lost = { entity: string; id: string; columns: readonly string[] }[]
type Storing = Extract<Decision, { kind: 'insert' | 'update' | 'delete' }>

/** A write that cannot be stored; ends its mutation. */
class Refused extends Error {
  readonly status: 'conflict' | 'rejected'
  readonly body: ErrorBody

  constructor(status: 'conflict' | 'rejected', body: ErrorBody) {
    super(body.message)
    this.status = status
    this.body = body
  }
}

export interface WriterParts {
  readonly db: Connection
  readonly catalog: Catalog
  readonly rows: Rows
  readonly request: AcceptRequest
  readonly key: ClientKey
  readonly horizon: number
  readonly head: number
}

export class Writer {
  readonly #parts: WriterParts
  #head: number
  /** Temporary ids by entity and id; undefined: asked and unknown. */
  #real = new Map<string, string | undefined>()

  constructor(parts: WriterParts) {
    this.#parts = parts
    this.#head = parts.head
  }

  /** The place of the log's newest entry. */
  get head(): number {
    return this.#head
  }

  /** Reads the rows that the mutations name, all at once. */
  prefetch(mutations: readonly Prepared[]): void {
    const { catalog, rows } = this.#parts
    const wanted = new Map<Entity, Set<string>>()
    for (const { attempts, rejected } of mutations) {
      if (rejected !== undefined) continue
      for (const write of attempts) {
        const entity = catalog.byName.get(write.entity)
        const id = entity === undefined || isTemporaryId(write.id) ? null : entity.id.check(write.id)
        if (entity === undefined || id === null) continue
        const ids = wanted.get(entity) ?? new Set()
        wanted.set(entity, ids.add(id))
      }
    }
    for (const [entity, ids] of wanted) rows.prefetch(entity, [...ids])
  }

  write(prepared: Prepared, index: number): Outcome {
    return prepared.attempts.length === 1 ? this.#single(prepared, index) : this.#several(prepared, index)
  }

  #single(prepared: Prepared, index: number): Outcome {
    const { db } = this.#parts
    try {
      return this.#run(prepared)
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      // what SQLite undid by itself needs no savepoint; what a trigger broke beyond the statement, the caller undoes
      if (error.status === 'rejected' && (!db.inTransaction || tailHead(db).seq !== this.#head))
        throw new Poisoned(index, error)
      return refusal(prepared, error)
    }
  }

  #several(prepared: Prepared, index: number): Outcome {
    const { db, rows } = this.#parts
    const head = this.#head
    const real = new Map(this.#real)
    const undo = (): void => {
      if (!db.inTransaction) throw new Poisoned(index, new Error('a trigger rolled the transaction back'))
      db.exec('ROLLBACK TO _syncline_mutation; RELEASE _syncline_mutation')
      rows.undo()
      this.#head = head
      this.#real = real
    }
    db.exec('SAVEPOINT _syncline_mutation')
    rows.mark()
    try {
      const outcome = this.#run(prepared)
      if (outcome.kind === 'resolve') undo()
      else {
        db.exec('RELEASE _syncline_mutation')
        rows.release()
      }
      return outcome
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      undo()
      return refusal(prepared, error)
    }
  }

  #run(prepared: Prepared): Outcome {
    const lost: Lost = []
    const ids: Record<string, string> = {}
    const resolve: { index: number; seq: number; columns: readonly string[] }[] = []
    let merged = false
    const author = authorOf(prepared, this.#parts.request.sender.client)
    const named = this.#namedRows(prepared)
    for (const [index, write] of prepared.attempts.entries()) {
      const done = this.#write(write, author, named, ids)
      if ('kind' in done) resolve.push({ index, seq: done.seq, columns: done.columns })
      else {
        if (done.lost.length > 0) lost.push({ entity: write.entity, id: write.id, columns: done.lost })
        merged ||= done.merged
      }
    }
    if (resolve.length > 0) return { kind: 'resolve', writes: resolve }
    if (lost.length > 0 && prepared.attempts.length > 1) {
      throw new Refused('conflict', {
        code: 'CONFLICT',
        message: 'a part of the transaction met a newer write, so none of it was stored',
      })
    }
    return {
      kind: 'done',
      status: merged || lost.length > 0 ? 'merged' : 'applied',
      ...(lost.length === 0 ? {} : { lost }),
      ...(Object.keys(ids).length === 0 ? {} : { ids }),
    }
  }

  /** Rows whose effects are the mutation's own, wherever they were logged. */
  #namedRows({ attempts }: Prepared): Set<string> {
    const named = new Set<string>()
    if (attempts.length === 1) return named
    for (const write of attempts) {
      const entity = this.#parts.catalog.byName.get(write.entity)
      const id = entity === undefined ? undefined : this.#known(entity, write.id)
      if (entity !== undefined && id !== undefined) named.add(keyOf(entity.ent, id))
    }
    return named
  }

  #write(
    write: PreparedWrite,
    author: Author,
    named: Set<string>,
    ids: Record<string, string>,
  ): Stored | Extract<Decision, { kind: 'resolve' }> {
    const { rows, request, horizon } = this.#parts
    const entity = this.#entity(write.entity)
    const id = this.#idOf(entity, write)
    const standing = standingOf(id === null ? absent : rows.get(entity, id))
    const decision = request.decide(write.entity, standing, write.attempt, horizon)
    switch (decision.kind) {
      case 'resolve':
        return decision
      case 'settled':
        return { lost: [], merged: false }
      case 'conflict':
        throw new Refused('conflict', { code: decision.code, message: conflictText(decision.code) })
      case 'rejected':
        throw new Refused('rejected', {
          code: decision.code,
          message: `'${write.entity}' ${write.id}: ${rejectText(decision.code)}`,
        })
      case 'insert':
      case 'update':
      case 'delete': {
        const stored = this.#carryOut(entity, id, write, decision)
        named.add(keyOf(entity.ent, stored))
        const carried = carriedOf(
          entity,
          stored,
          write,
          id === null ? this.#above(decision, entity, stored, write) : decision,
        )
        const effects = patchEffects(this.#parts.db, this.#parts.catalog, this.#head, carried, author, named)
        if (effects.length === 0 && decision.kind === 'insert') throw this.#ignored(write, decision)
        if (isTemporaryId(write.id) && stored !== write.id) this.#rename(entity, write.id, stored, ids)
        for (const { entry } of effects) this.#head = Math.max(this.#head, entry.seq)
        if (effects.length > 0) rows.apply(effects)
        return {
          lost: decision.kind === 'update' ? decision.lost : [],
          merged: decision.kind === 'update' && decision.resolved !== null,
        }
      }
    }
  }

  /** The database may give the id of a deleted row again: the new row's stamp is above the end of the old one (rule L3). */
  #above(decision: Storing, entity: Entity, id: string, write: PreparedWrite): Storing {
    const { db, rows, request, horizon } = this.#parts
    // what was folded of a gone row is not looked up together with a row that is there
    const folded = db.get(entity.sql.goneStamp, id)
    const gone =
      rows.get(entity, id).gone ??
      (folded === undefined ? null : { seq: integer(folded[0]), stamp: text(folded[1]) })
    if (gone === null) return decision
    const again = request.decide(write.entity, { ...standingOf(absent), gone }, write.attempt, horizon)
    return again.kind === 'insert' ? again : decision
  }

  #entity(entity: string): Entity {
    try {
      return this.#parts.catalog.get(entity)
    } catch (error) {
      if (error instanceof SyncError)
        throw new Refused('rejected', { code: error.code, message: error.message })
      throw error
    }
  }

  // ---- ids

  /** Null: the database assigns it. */
  #idOf(entity: Entity, write: PreparedWrite): string | null {
    const bad = (why: string): Refused =>
      new Refused('rejected', { code: 'INVALID_ID', message: `'${write.id}' ${why} '${write.entity}'` })
    if (!isTemporaryId(write.id)) {
      const id = entity.id.check(write.id)
      if (id === null) throw bad('is no id of')
      return id
    }
    const known = this.#known(entity, write.id)
    if (known !== undefined) return known
    if (write.attempt.action === 'create') {
      const given = idOfRow(write.values, entity.info.shape.key)
      const id = given === null ? null : entity.id.check(given)
      if (id !== null) return id
      if (entity.info.assignsKey) return null
      throw bad('is a temporary id, but the client has to make the keys of')
    }
    throw bad('is a temporary id that is not known of')
  }

  #known(entity: Entity, id: string): string | undefined {
    if (!isTemporaryId(id)) return entity.id.check(id) ?? undefined
    const key = keyOf(entity.ent, id)
    if (!this.#real.has(key)) this.#real.set(key, realId(this.#parts.db, this.#parts.key, entity.ent, id))
    return this.#real.get(key)
  }

  #rename(entity: Entity, temporary: string, id: string, ids: Record<string, string>): void {
    const { db, key, request } = this.#parts
    ids[temporary] = id
    if (temporary === temporaryPrefix) return
    const known = keyOf(entity.ent, temporary)
    if (this.#real.get(known) === id) return
    this.#real.set(known, id)
    saveRealId(db, key, entity.ent, temporary, id, request.nowMs)
  }

  // ---- SQL

  /** The id of the row that was written. */
  #carryOut(entity: Entity, id: string | null, write: PreparedWrite, decision: Storing): string {
    const { db } = this.#parts
    const real = (column: string, value: Json): Json => this.#reference(entity, column, value)
    try {
      switch (decision.kind) {
        case 'insert': {
          const stored = insertRow(db, entity, id, valuesOf(entity, write, decision.columns, null, real))
          if (stored === null) throw this.#ignored(write, decision)
          return stored
        }
        case 'update':
          updateRow(db, entity, id ?? '', valuesOf(entity, write, decision.columns, decision.resolved, real))
          return id ?? ''
        case 'delete':
          deleteRow(db, entity, id ?? '')
          return id ?? ''
      }
    } catch (error) {
      throw this.#refusedBy(error, decision.kind === 'insert' ? decision.ifRefused : 'CONSTRAINT_FAILED')
    }
  }

  #ignored(write: PreparedWrite, { ifRefused }: Extract<Decision, { kind: 'insert' }>): Refused {
    return new Refused('rejected', {
      code: ifRefused,
      message: `'${write.entity}': a trigger or a conflict clause of the table ignored the row`,
    })
  }

  #refusedBy(error: unknown, code: ErrorCode): unknown {
    if (error instanceof Refused) return error
    if (error instanceof SyncError) return new Refused('rejected', error.toJSON())
    if (isGlobal(error)) return error
    const sqlite = textOf(error)
    return new Refused('rejected', {
      code,
      message: `the database refused the change: ${sqlite}`,
      details: { sqlite },
    })
  }

  /** A foreign key that holds a temporary id of this client's gets the real one. */
  #reference(entity: Entity, column: string, value: Json): Json {
    if (typeof value !== 'string' || !isTemporaryId(value)) return value
    const parent = entity.table.foreignKeys.find(key => key.column === column)?.table.toLowerCase()
    for (const candidate of this.#parts.catalog.byEnt.values()) {
      if (candidate.table.name.toLowerCase() === parent) return this.#known(candidate, value) ?? value
    }
    return value
  }
}

const absent = { exists: false, json: null, line: null, gone: null, goneOrigin: undefined }

function authorOf({ mutation }: Prepared, client: string | null): Author {
  return { client, mutation: mutation.n ?? mutation.mutationId ?? null }
}

function carriedOf(entity: Entity, id: string, write: PreparedWrite, decision: Storing): Carried {
  const resolved =
    decision.kind === 'update' && decision.resolved !== null ? Object.keys(decision.resolved) : []
  const sent = decision.kind === 'update' ? decision.columns.filter(column => !resolved.includes(column)) : []
  const told = isTemporaryId(write.id) && write.id !== temporaryPrefix
  const temporary = decision.kind === 'insert' && told ? write.id : null
  return { entity, id, kind: decision.kind, stamp: decision.stamp, sent, resolved, temporary }
}

/** Nothing was stored: of a conflict, every written column is lost. */
function refusal({ attempts }: Prepared, { status, body }: Refused): Outcome {
  const lost =
    status === 'rejected'
      ? []
      : attempts.map(({ entity, id, attempt: { columns } }) => ({ entity, id, columns }))
  const some = lost.filter(({ columns }) => columns.length > 0)
  return { kind: 'done', status, error: body, ...(some.length === 0 ? {} : { lost: some }) }
}

function conflictText(code: ErrorCode): string {
  return code === 'ROW_DELETED'
    ? 'the row was deleted meanwhile'
    : 'the row was changed by somebody else meanwhile'
}

function rejectText(code: ErrorCode): string {
  return code === 'ALREADY_EXISTS' ? 'a row with this id exists already' : 'the change was not stored'
}
