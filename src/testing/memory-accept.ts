// A client's mutations, stored as one transaction of the memory database. Neighbours: the engine's accept before it,
// the log behind it. Everything here is one synchronous step, as the inside of a transaction has to be.
import { SyncError, idOfValue, isTemporaryId, readingOf, temporaryPrefix } from '../core/index.ts'
import type { Decision, Json, MutationResult, Row, Standing } from '../core/index.ts'
import { lossesOf, mayLose, refusedLosses } from '../server/index.ts'
import type {
  Accepted,
  Decide,
  EntityInfo,
  Judged,
  Loss,
  Prepared,
  PreparedWrite,
  Sender,
} from '../server/index.ts'
import { firstRefusal, lostOf, named, refusal, rejected } from './memory-outcome.ts'
import type { ClientRecord, Outcome } from './memory-outcome.ts'
import type { MemoryDatabase } from './memory-database.ts'
import { noteLosses } from './memory-records.ts'
import { ConstraintError, integerKeyOf, keyOfId } from './memory-table.ts'
import type { TableSpec } from './memory-table.ts'
import type { Effect, MemoryTransaction } from './memory-transaction.ts'

export interface AcceptRequest {
  readonly sender: Sender
  readonly mutations: readonly Prepared[]
  readonly decide: Decide
  readonly acked: number
}

/** Senders without a name share their names for mutations: only the same writes are a repetition. */
function keyOf({ n, mutationId, writes }: Prepared['mutation']): number | string | undefined {
  return n ?? (mutationId === undefined ? undefined : `${mutationId} ${JSON.stringify(writes)}`)
}

export function clientKey(sender: Sender): string {
  return `${sender.user}\n${sender.client ?? ''}`
}

/**
 * Calls `numbered` with the outcomes once their version is known. Throws FENCED; throws LockedError where another
 * transaction holds a row. Either way nothing was stored.
 */
export function acceptAll(
  database: MemoryDatabase,
  entities: ReadonlyMap<string, EntityInfo>,
  request: AcceptRequest,
  numbered: (accepted: Accepted[]) => void,
): void {
  // judged against a log that is complete: what is committed has its seq
  database.pass()
  const key = clientKey(request.sender)
  const record = database.client(key)
  const { lead } = request.sender
  if (lead !== null && lead < record.lead) throw new SyncError('FENCED', 'another tab took the lead')
  const accept = new Accept(database, entities, request, structuredClone(record))
  try {
    accept.run()
  } catch (error) {
    accept.transaction.rollback()
    throw error
  }
  Object.assign(record, accept.record)
  const results = accept.written.map(entry => [key, entry] as const)
  accept.transaction.commit(() =>
    database.commitWith(accept.transaction, results, () =>
      numbered(accept.outcomes.map(outcome => outcome())),
    ),
  )
}

class Accept {
  readonly transaction: MemoryTransaction
  readonly outcomes: (() => Accepted)[] = []
  /** Keys of results whose version is this transaction's seq. */
  readonly written: (number | string)[] = []
  readonly record: ClientRecord
  /** What did not survive, of what is done and of the mutation at hand. */
  readonly #losses: Loss[] = []
  #own: Loss[] = []
  readonly #database: MemoryDatabase
  readonly #entities: ReadonlyMap<string, EntityInfo>
  readonly #request: AcceptRequest

  constructor(
    database: MemoryDatabase,
    entities: ReadonlyMap<string, EntityInfo>,
    request: AcceptRequest,
    record: ClientRecord,
  ) {
    this.#database = database
    this.#entities = entities
    this.#request = request
    this.record = record
    this.transaction = database.begin()
  }

  run(): void {
    const { mutations, acked, sender } = this.#request
    for (const n of this.record.results.keys())
      if (typeof n === 'number' && n <= acked) this.record.results.delete(n)
    if (sender.lead !== null) this.record.lead = Math.max(this.record.lead, sender.lead)
    for (const prepared of mutations) {
      // a mutation that waits for its resolver holds up those behind it: one client's are processed in order
      if (!this.#mutation(prepared)) break
    }
    const standing = (info: EntityInfo, id: string): Standing => this.#standing(info, id)
    noteLosses(this.#entities, this.#losses, standing, this.transaction, this.#database, sender)
  }

  /** False: the resolver has to run first. */
  #mutation(prepared: Prepared): boolean {
    const { mutation } = prepared
    const key = keyOf(mutation)
    const known = key === undefined ? undefined : this.record.results.get(key)
    if (known !== undefined || (mutation.n !== null && mutation.n <= this.record.last)) {
      this.#answer(prepared, key, {
        ...(known ?? { ...named(prepared), version: this.#database.head.seq }),
        status: 'duplicate',
      })
      return true
    }
    if (prepared.rejected !== undefined) {
      this.#book(prepared, { ...named(prepared), status: 'rejected', version: 0, error: prepared.rejected })
      return true
    }
    if (prepared.attempts.some(write => this.#isStale(write))) {
      this.outcomes.push(() => ({ kind: 'stale' }))
      return false
    }
    const undo = this.transaction.savepoint()
    const temporary = new Map(this.record.temporary)
    this.#own = []
    const outcomes = prepared.attempts.map(write => this.#write(prepared, write))
    const resolve = outcomes.flatMap((outcome, index) =>
      outcome.kind === 'resolve' ? [{ index, seq: outcome.seq, columns: outcome.columns }] : [],
    )
    const refused = resolve.length > 0 ? undefined : firstRefusal(outcomes)
    if (resolve.length > 0 || refused !== undefined) {
      undo()
      this.record.temporary.clear()
      for (const [id, row] of temporary) this.record.temporary.set(id, row)
    }
    if (resolve.length > 0) {
      this.outcomes.push(() => ({ kind: 'resolve', writes: resolve }))
      return false
    }
    if (refused === undefined) this.#losses.push(...this.#own)
    else if (refused.status === 'conflict')
      for (const write of prepared.attempts) {
        const judged = this.#judged(write)
        if (judged !== null)
          this.#losses.push(...refusedLosses(judged, refused.code, prepared.attempts.length === 1))
      }
    this.#book(
      prepared,
      refused === undefined ? this.#stored(prepared, outcomes) : refusal(prepared, refused, outcomes),
    )
    // the bare prefix is another row every time
    this.record.temporary.delete(temporaryPrefix)
    return true
  }

  #stored(prepared: Prepared, outcomes: readonly Outcome[]): MutationResult {
    const lost = lostOf(prepared, outcomes)
    const merged = lost.length > 0 || outcomes.some(outcome => outcome.kind === 'stored' && outcome.merged)
    const ids = this.#idsOf(prepared)
    return {
      ...named(prepared),
      status: merged ? 'merged' : 'applied',
      version: 0,
      ...(lost.length === 0 ? {} : { lost }),
      ...(ids === null ? {} : { ids }),
    }
  }

  #idsOf(prepared: Prepared): Record<string, string> | null {
    const ids: Record<string, string> = {}
    for (const { id } of prepared.attempts) {
      const real = this.record.temporary.get(id)
      if (real !== undefined) ids[id] = real
    }
    return Object.keys(ids).length === 0 ? null : ids
  }

  #book(prepared: Prepared, result: MutationResult): void {
    const { mutation } = prepared
    const wrote = this.transaction.effects.length > 0
    const key = keyOf(mutation)
    const booked = { ...result, version: this.#database.head.seq }
    if (mutation.n !== null) this.record.last = mutation.n
    if (key !== undefined) {
      this.record.results.set(key, booked)
      if (wrote) this.written.push(key)
    }
    this.#answer(prepared, key, booked)
  }

  #answer(prepared: Prepared, key: number | string | undefined, result: MutationResult): void {
    const wrote = this.transaction.effects.length > 0
    const database = this.#database
    const owner = clientKey(this.#request.sender)
    this.outcomes.push(() => {
      // a mutation without a name is in no record; its version is the log's head when the pass has run
      const booked = key === undefined ? undefined : database.client(owner).results.get(key)
      const version = booked?.version ?? (wrote ? database.head.seq : result.version)
      return { kind: 'result', result: { ...named(prepared), ...result, version } }
    })
  }

  // ---- one write

  #write(prepared: Prepared, write: PreparedWrite): Outcome {
    const info = this.#entities.get(write.entity)
    if (info === undefined) return rejected('UNKNOWN_ENTITY', `there is no entity '${write.entity}'`)
    const spec = this.#database.spec(info.table)
    const id = this.#realId(write, spec)
    const values = this.#realValues(spec, write.values)
    const { decide } = this.#request
    const decision = decide(write.entity, this.#standing(info, id), write.attempt, this.#database.horizon)
    const judged = mayLose(decision) ? this.#judged({ ...write, values }) : null
    if (judged !== null) this.#own.push(...lossesOf(judged, decision))
    try {
      return this.#carryOut(prepared, spec, id, { ...write, values }, decision)
    } catch (error) {
      if (!(error instanceof ConstraintError)) throw error
      const code = decision.kind === 'insert' ? decision.ifRefused : 'CONSTRAINT_FAILED'
      return rejected(code, error.message)
    }
  }

  #judged(write: PreparedWrite): Judged | null {
    const info = this.#entities.get(write.entity)
    if (info === undefined) return null
    const id = this.#realId(write, this.#database.spec(info.table))
    const row = id === null ? null : this.transaction.read(info.table, id)
    const standing = this.#standing(info, id)
    const { client } = this.#request.sender
    // the place that this transaction will have, where it has stored something by now
    const head = this.#database.head.seq + Math.sign(this.transaction.effects.length)
    return { info, id: id ?? write.id, write, standing, row, client, head }
  }

  #isStale(write: PreparedWrite): boolean {
    const info = this.#entities.get(write.entity)
    if (write.judged === undefined || info === undefined) return false
    return this.#standing(info, this.#realId(write, this.#database.spec(info.table))).seq !== write.judged
  }

  #standing({ table }: EntityInfo, id: string | null): Standing {
    return id === null ? absent : this.#database.standing(table, id, this.transaction)
  }

  /** Null: the database will assign it. */
  #realId(write: PreparedWrite, spec: TableSpec): string | null {
    if (!isTemporaryId(write.id)) return write.id
    const known = write.id === temporaryPrefix ? undefined : this.record.temporary.get(write.id)
    if (known !== undefined) return known
    if (write.attempt.action !== 'create') return write.id
    const given = spec.key.map(column => write.values[column] ?? null)
    if (given.every(value => value !== null)) return idOfValue(given.length === 1 ? given[0] : given)
    return integerKeyOf(spec) ? null : write.id
  }

  #realValues(spec: TableSpec, values: Row): Row {
    const real: Record<string, Json> = { ...values }
    for (const { column } of spec.references ?? []) {
      const value = real[column]
      const known = typeof value === 'string' ? this.record.temporary.get(value) : undefined
      if (known !== undefined) real[column] = known
    }
    return real
  }

  #carryOut(
    prepared: Prepared,
    spec: TableSpec,
    id: string | null,
    write: PreparedWrite,
    decision: Decision,
  ): Outcome {
    switch (decision.kind) {
      case 'settled':
        return { kind: 'stored', lost: [], merged: false }
      case 'conflict':
        return {
          kind: 'refused',
          status: 'conflict',
          code: decision.code,
          message: 'the row was changed by somebody else',
          lost: decision.lost,
        }
      case 'rejected':
        return rejected(decision.code, 'the mutation was not stored')
      case 'resolve':
        return { kind: 'resolve', seq: decision.seq, columns: decision.columns }
      case 'insert':
      case 'update':
      case 'delete': {
        const mark = this.transaction.effects.length
        const stored = this.#store(spec, id, write, decision)
        this.#stamp(prepared, spec, stored, write, decision, this.transaction.effects.slice(mark))
        if (id === null || id !== write.id) this.record.temporary.set(write.id, stored)
        const lost = decision.kind === 'update' ? decision.lost : []
        return { kind: 'stored', lost, merged: decision.kind === 'update' && decision.resolved !== null }
      }
    }
  }

  #store(
    spec: TableSpec,
    id: string | null,
    write: PreparedWrite,
    decision: Extract<Decision, { stamp: string }>,
  ): string {
    if (decision.kind === 'insert') {
      const key = id === null ? {} : keyOfId(spec, id)
      if (key === null) throw new ConstraintError('type', `'${id}' is no id of ${spec.name}`)
      return this.transaction.insert(spec.name, { ...picked(write.values, decision.columns), ...key })
    }
    // reason: an update or delete was decided about a row that exists, so it has an id
    const known = id as string
    if (decision.kind === 'delete') this.transaction.remove(spec.name, known)
    else
      this.transaction.update(spec.name, known, {
        ...picked(write.values, decision.columns),
        ...decision.resolved,
      })
    return known
  }

  /** Patches what the triggers logged of this row: the client's stamp on what it wrote, the log's on side effects. */
  #stamp(
    prepared: Prepared,
    spec: TableSpec,
    id: string,
    write: PreparedWrite,
    decision: Extract<Decision, { stamp: string }>,
    effects: readonly Effect[],
  ): void {
    const { client } = this.#request.sender
    const origin = { client, mutation: prepared.mutation.n ?? prepared.mutation.mutationId ?? null }
    const resolved =
      decision.kind === 'update' && decision.resolved !== null ? Object.keys(decision.resolved) : []
    for (const effect of effects) {
      if (effect.table !== spec.name || effect.id !== id) continue
      Object.assign(effect, origin)
      if (effect.op === 'c' || effect.op === 'd') {
        this.#mark(effect, decision.stamp, true)
        effect.temporary = effect.op === 'c' && isTemporaryId(write.id) ? write.id : null
        continue
      }
      if (decision.kind !== 'update') continue
      this.#split(effect, decision.columns, resolved, decision.stamp)
    }
  }

  /** An update's entry says three things: what was written, what a resolver put there, what the row's triggers did. */
  #split(effect: Effect, columns: readonly string[], resolved: readonly string[], stamp: string): void {
    const sent = effect.columns.filter(column => columns.includes(column) && !resolved.includes(column))
    const merged = effect.columns.filter(column => resolved.includes(column))
    const side = effect.columns.filter(column => !columns.includes(column) && !resolved.includes(column))
    const parts = [
      { columns: sent, stamp, own: true },
      { columns: merged, stamp, own: false },
      { columns: side, stamp: null, own: true },
    ].filter(part => part.columns.length > 0)
    const [first, ...others] = parts
    if (first === undefined) return
    const rest = others.map(part => ({ ...effect, reading: this.#database.read(), ...part }))
    Object.assign(effect, first)
    this.transaction.effects.splice(this.transaction.effects.indexOf(effect) + 1, 0, ...rest)
    for (const part of [effect, ...rest]) if (part.stamp !== null) this.#mark(part, part.stamp, part.own)
  }

  #mark(effect: Effect, stamp: string, own: boolean): void {
    effect.stamp = stamp
    effect.own = own
    effect.reading = Math.max(effect.reading, readingOf(stamp))
    this.#database.advance(effect.reading)
  }
}

const absent: Standing = { exists: false, whole: null, cells: {}, gone: null, seq: 0 }

function picked(values: Row, columns: readonly string[]): Record<string, Json> {
  return Object.fromEntries(
    columns.filter(column => Object.hasOwn(values, column)).map(column => [column, values[column] ?? null]),
  )
}
