// One mutation at a time: ids made real, `decide` asked, the SQL done, its effects settled. A mutation is whole or not at
// all (rule D13): one with several writes runs in a savepoint, a single write is whole by SQLite's own rules.
import { conflictsName, isTemporaryId, SyncError } from '../../core/index.ts'
import type { Decision, Json, Standing } from '../../core/index.ts'
import { lossesOf, mayLose, refusedLosses, withinSight } from '../losses.ts'
import type { Loss } from '../losses.ts'
import type { Prepared, PreparedWrite } from '../store.ts'
import type { ClientKey } from './clients.ts'
import { integer, text } from './driver.ts'
import type { Connection } from './driver.ts'
import { carriedOf, patchEffects } from './effects.ts'
import type { Author, Storing } from './effects.ts'
import type { Catalog, Entity } from './entity.ts'
import { Ids } from './real-ids.ts'
import { standingOf } from './lines.ts'
import { judgedRow, recordWrites } from './records.ts'
import { conflictText, ignored, refusal, Refused, refusedBy, rejectText } from './refused.ts'
import { Poisoned } from './request.ts'
import type { AcceptRequest, Lost, Outcome } from './request.ts'
import type { Rows } from './rows.ts'
import { deleteRow, insertRow, updateRow, valuesOf } from './statements.ts'
import { checkAt, keyOf, tailHead } from './tail.ts'
import type { Place } from './tail.ts'
import { Unread } from './unread.ts'

/** The mutation that a write belongs to. */
interface Belonging {
  readonly author: Author
  /** Rows whose effects are the mutation's own, wherever they were logged. */
  readonly named: Set<string>
  readonly ids: Record<string, string>
  /** Its index, where it is a single write, which needs no savepoint. */
  readonly alone: number | null
  readonly losses: Loss[]
}

interface Stored {
  readonly lost: readonly string[]
  readonly merged: boolean
}

export interface WriterParts {
  readonly db: Connection
  readonly catalog: Catalog
  readonly rows: Rows
  readonly request: AcceptRequest
  readonly key: ClientKey
  readonly place: Place
}

export class Writer {
  readonly #parts: WriterParts
  #head: number
  /** The nonce at `#head`; null: not asked yet. */
  #check: number | null = null
  readonly #unread: Unread
  /** The place of the log after each mutation. */
  readonly #versions: number[] = []
  readonly #ids: Ids
  /** What did not survive of the mutations that are done. */
  readonly #losses: Loss[] = []

  constructor(parts: WriterParts) {
    this.#parts = parts
    this.#head = parts.place.seq
    this.#check = parts.place.check
    this.#unread = new Unread(parts.db)
    this.#ids = new Ids(parts)
  }

  /** Settles what is still open. The place of the log's newest entry then, and its nonce. */
  finish(): { readonly head: number; readonly check: number | null } {
    this.#readLog()
    this.#record()
    return { head: this.#head, check: this.#check ?? checkAt(this.#parts.db, this.#head) }
  }

  /** The place of the log after the mutation at `index`; known when all is settled. */
  versionOf(index: number): number {
    return this.#versions[index] ?? 0
  }

  /** What was written and not read yet, before anything needs it. */
  #readLog(): void {
    if (this.#unread.empty) return
    const { logged, check } = this.#unread.take(this.#head)
    for (const { update, effects } of logged) {
      const last = effects.at(-1)
      if (last !== undefined) {
        this.#parts.rows.applyUpdate(effects)
        this.#moveTo(last.entry.seq)
      }
      this.#versions[update.index] = this.#head
    }
    this.#check = check
  }

  #moveTo(seq: number): void {
    if (seq <= this.#head) return
    this.#head = seq
    this.#check = null
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
        if (entity === undefined || id === null || rows.knows(entity, id)) continue
        const ids = wanted.get(entity)
        if (ids === undefined) wanted.set(entity, new Set([id]))
        else ids.add(id)
      }
    }
    for (const [entity, ids] of wanted) rows.prefetch(entity, [...ids])
  }

  write(prepared: Prepared, index: number): Outcome {
    const outcome =
      prepared.attempts.length === 1 ? this.#single(prepared, index) : this.#several(prepared, index)
    this.#versions[index] = this.#head
    return outcome
  }

  #single(prepared: Prepared, index: number): Outcome {
    const { db } = this.#parts
    try {
      return this.#run(prepared, index)
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      // what SQLite undid by itself needs no savepoint; what a trigger broke beyond the statement, the caller undoes
      if (error.status === 'rejected') {
        if (!db.inTransaction) throw new Poisoned(index, error)
        this.#readLog()
        if (tailHead(db).seq !== this.#head) throw new Poisoned(index, error)
      }
      return this.#refused(prepared, error)
    }
  }

  #several(prepared: Prepared, index: number): Outcome {
    this.#readLog()
    const { db, rows } = this.#parts
    const head = this.#head
    const forget = this.#ids.mark()
    const undo = (): void => {
      if (!db.inTransaction) throw new Poisoned(index, new Error('a trigger rolled the transaction back'))
      db.exec('ROLLBACK TO _syncline_mutation; RELEASE _syncline_mutation')
      rows.undo()
      this.#head = head
      this.#check = null
      forget()
    }
    db.exec('SAVEPOINT _syncline_mutation')
    rows.mark()
    try {
      const outcome = this.#run(prepared, null)
      if (outcome.kind !== 'done') undo()
      else {
        db.exec('RELEASE _syncline_mutation')
        rows.release()
      }
      return outcome
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      undo()
      return this.#refused(prepared, error)
    }
  }

  #run(prepared: Prepared, alone: number | null): Outcome {
    const lost: Lost = []
    const ids: Record<string, string> = {}
    const resolve: { index: number; seq: number; columns: readonly string[] }[] = []
    let merged = false
    const author = authorOf(prepared, this.#parts.request.sender.client)
    const losses: Loss[] = []
    const belonging: Belonging = { author, named: this.#namedRows(prepared), ids, alone, losses }
    // before any of its writes, or a trigger's change of a row that comes later would look like somebody else's
    if (prepared.attempts.some(write => this.#isStale(write))) return { kind: 'stale' }
    for (const [index, write] of prepared.attempts.entries()) {
      const done = this.#write(write, belonging)
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
    this.#losses.push(...losses)
    const status = merged || lost.length > 0 ? 'merged' : 'applied'
    const some =
      lost.length === 0 ? ({ kind: 'done', status } as const) : ({ kind: 'done', status, lost } as const)
    return Object.keys(ids).length === 0 ? some : { ...some, ids }
  }

  #isStale(write: PreparedWrite): boolean {
    return write.judged !== undefined && this.#standing(write).standing.seq !== write.judged
  }

  #standing(write: PreparedWrite): { entity: Entity; id: string | null; key: string; standing: Standing } {
    const entity = this.#entity(write.entity)
    const id = this.#ids.idOf(entity, write)
    const key = id === null ? '' : keyOf(entity.ent, id)
    if (this.#unread.has(key)) this.#readLog()
    return {
      entity,
      id,
      key,
      standing: standingOf(id === null ? absent : this.#parts.rows.get(entity, id, key)),
    }
  }

  // ---- what did not survive

  #by(): { client: string | null; head: number } {
    return { client: this.#parts.request.sender.client, head: this.#head }
  }

  #refused(prepared: Prepared, error: Refused): Outcome {
    const { attempts } = prepared
    const { db } = this.#parts
    const { code } = error.body
    if (error.status === 'conflict')
      for (const write of attempts) {
        const entity = this.#parts.catalog.byName.get(write.entity)
        if (entity === undefined) continue
        // a row that an earlier write of the mutation would have made was never made
        const id = this.#ids.known(entity, write.id) ?? null
        const standing = standingOf(id === null ? absent : this.#parts.rows.get(entity, id))
        const judged = judgedRow(db, this.#by(), entity, id, write, standing)
        this.#losses.push(...refusedLosses(judged, code, attempts.length === 1))
      }
    return refusal(prepared, error)
  }

  /** Rule I1: in the transaction of the write that they tell of. */
  #record(): void {
    const { db, catalog, request, place } = this.#parts
    const entity = catalog.byName.get(conflictsName)
    // that two settled one record without knowing of each other is nothing that anybody could settle
    const lost = this.#losses.filter(loss => loss.entity !== conflictsName)
    if (entity === undefined || lost.length === 0) return
    this.#readLog()
    const losses = lost.map(loss => this.#withinSight(loss))
    for (const write of recordWrites(db, entity, losses, request)) {
      const { id, standing } = this.#standing(write)
      const decision = request.decide(conflictsName, standing, write.attempt, place.horizon)
      if (decision.kind !== 'insert' && decision.kind !== 'update') continue
      try {
        this.#store(entity, id, write, decision, nobody())
      } catch (error) {
        // without triggers for a moment (another engine took them, C8): it is stored, and told when they are back
        if (!(error instanceof Refused)) throw error
      }
    }
  }

  #withinSight(loss: Loss): Loss {
    const entity = this.#entity(loss.entity)
    return withinSight(loss, entity.info, () => standingOf(this.#parts.rows.get(entity, loss.id)))
  }

  #namedRows({ attempts }: Prepared): Set<string> {
    const named = new Set<string>()
    if (attempts.length === 1) return named
    for (const write of attempts) {
      const entity = this.#parts.catalog.byName.get(write.entity)
      const id = entity === undefined ? undefined : this.#ids.known(entity, write.id)
      if (entity !== undefined && id !== undefined) named.add(keyOf(entity.ent, id))
    }
    return named
  }

  #write(write: PreparedWrite, belonging: Belonging): Stored | Extract<Decision, { kind: 'resolve' }> {
    const { db, request, place } = this.#parts
    const { entity, id, key, standing } = this.#standing(write)
    const decision = request.decide(write.entity, standing, write.attempt, place.horizon)
    if (mayLose(decision))
      belonging.losses.push(...lossesOf(judgedRow(db, this.#by(), entity, id, write, standing), decision))
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
      case 'delete':
        this.#store(entity, id, write, decision, belonging)
        return { lost: [], merged: false }
      case 'update': {
        const { lost, resolved, columns, stamp } = decision
        const { alone, author, ids } = belonging
        if (alone !== null && resolved === null && id !== null && this.#parts.catalog.isQuiet(entity)) {
          this.#carryOut(entity, id, write, decision)
          this.#unread.add({ key, index: alone, entity, id, stamp, sent: columns, author })
          this.#ids.told(entity, write, id, ids)
        } else this.#store(entity, id, write, decision, belonging)
        return { lost, merged: resolved !== null }
      }
    }
  }

  /** Carries it out and looks at once what the log says of it. */
  #store(
    entity: Entity,
    id: string | null,
    write: PreparedWrite,
    decision: Storing,
    { author, named, ids }: Belonging,
  ): void {
    this.#readLog()
    const { db, catalog, rows } = this.#parts
    const stored = this.#carryOut(entity, id, write, decision)
    named.add(keyOf(entity.ent, stored))
    const above = id === null ? this.#above(decision, entity, stored, write) : decision
    const carried = carriedOf(entity, stored, write, above)
    const effects = patchEffects(db, catalog, this.#head, carried, author, named)
    if (effects.length === 0 && decision.kind === 'insert') throw ignored(write.entity, decision.ifRefused)
    this.#ids.told(entity, write, stored, ids)
    for (const { entry } of effects) this.#moveTo(entry.seq)
    if (effects.length > 0) rows.apply(effects)
  }

  /** The database may give the id of a deleted row again: the new row's stamp is above the end of the old one (rule L3). */
  #above(decision: Storing, entity: Entity, id: string, write: PreparedWrite): Storing {
    const { db, rows, request, place } = this.#parts
    // what was folded of a gone row is not looked up together with a row that is there
    const folded = db.get(entity.sql.goneStamp, id)
    const gone =
      rows.get(entity, id).gone ??
      (folded === undefined ? null : { seq: integer(folded[0]), stamp: text(folded[1]) })
    if (gone === null) return decision
    const again = request.decide(write.entity, { ...standingOf(absent), gone }, write.attempt, place.horizon)
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

  // ---- SQL

  /** The id of the row that was written. */
  #carryOut(entity: Entity, id: string | null, write: PreparedWrite, decision: Storing): string {
    const { db } = this.#parts
    const real = (column: string, value: Json): Json => this.#ids.reference(entity, column, value)
    try {
      switch (decision.kind) {
        case 'insert': {
          const stored = insertRow(db, entity, id, valuesOf(entity, write, decision.columns, null, real))
          if (stored === null) throw ignored(write.entity, decision.ifRefused)
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
      throw refusedBy(error, decision.kind === 'insert' ? decision.ifRefused : 'CONSTRAINT_FAILED')
    }
  }
}

function nobody(): Belonging {
  return { author: { client: null, mutation: null }, named: new Set(), ids: {}, alone: null, losses: [] }
}

const absent = { exists: false, json: null, line: null, gone: null, goneOrigin: undefined }

function authorOf({ mutation }: Prepared, client: string | null): Author {
  return { client, mutation: mutation.n ?? mutation.mutationId ?? null }
}
