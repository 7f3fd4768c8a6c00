// Line B, the server's end: a pushed mutation is authorized, validated, deduplicated, decided and committed. What needs
// the world (schemas, resolvers) runs before the transaction; inside it the store asks `decide`, which is pure. If a
// resolver's row moved meanwhile, it runs again.
import { clampStamp, cut, decide, rowName, SyncError } from '../core/index.ts'
import type {
  Attempt,
  EntityDefinition,
  ErrorBody,
  ErrorCode,
  Json,
  Mutation,
  MutationResult,
  ResolveContext,
  Row,
} from '../core/index.ts'
import type { Logger, ServerEnv } from './env.ts'
import { Draft, independent, plan, validate } from './plan.ts'
import type { Plan, PlannedWrite } from './plan.ts'
import { allowed } from './rights.ts'
import { rulesOf } from './rules.ts'
import type { Accepted, LookedUp, Prepared, PreparedWrite, Sender, ServerStore } from './store.ts'
import type { Views } from './views.ts'

export interface AcceptOptions {
  readonly maxDriftMs: number
  /** How long a resolver may take. */
  readonly resolverDeadlineMs: number
}

/** What is the same for all mutations of one call. */
interface Request {
  readonly sender: Sender
  readonly acked: number
  /** The sender's. */
  readonly views: Views
  readonly epoch: string
}

/** A row that moves under its resolver this often is given up: the mutation is rejected and can be sent again. */
const maxResolveRounds = 20

export class Acceptor {
  readonly #store: ServerStore
  readonly #env: ServerEnv
  readonly #log: Logger
  readonly #options: AcceptOptions
  /** An open store stays on its log: another epoch is another database. */
  #epoch: string | null = null

  constructor(store: ServerStore, env: ServerEnv, log: Logger, options: AcceptOptions) {
    this.#store = store
    this.#env = env
    this.#log = log
    this.#options = options
  }

  /**
   * Results in the order of the mutations. Throws what `store.accept` throws; then nothing of the rest was stored, while
   * what came before a row's second mutation may be.
   */
  async accept(
    sender: Sender,
    mutations: readonly Mutation[],
    acked: number,
    views: Views,
  ): Promise<MutationResult[]> {
    const epoch = (this.#epoch ??= (await this.#store.head()).epoch)
    const request: Request = { sender, acked, views, epoch }
    const results: MutationResult[] = []
    for (let rest = mutations.map(mutation => plan(this.#store.entities, mutation)); rest.length > 0;) {
      // a row is read after what the same call wrote to it, or the later write would be cut against the past
      const count = independent(rest)
      const queue = await this.#prepareAll(rest.slice(0, count), request)
      results.push(...(await this.#acceptAll(queue, request)))
      rest = rest.slice(count)
    }
    return results
  }

  async #acceptAll(mutations: readonly Prepared[], request: Request): Promise<MutationResult[]> {
    const { sender, acked } = request
    const results: MutationResult[] = []
    let queue = mutations
    for (let rounds = 0; queue.length > 0;) {
      const outcome = await this.#store.accept(sender, queue, this.#decide, acked)
      const done = outcome.filter(
        (item): item is Extract<Accepted, { kind: 'result' }> => item.kind === 'result',
      )
      results.push(...done.map(item => item.result))
      const unresolved = outcome[done.length]
      if (unresolved === undefined || unresolved.kind === 'result') break
      rounds = done.length > 0 ? 1 : rounds + 1
      const [next, ...rest] = queue.slice(done.length)
      if (next === undefined) break
      const again =
        unresolved.kind === 'resolve'
          ? await this.#resolve(next, unresolved, rounds, sender)
          : await this.#judgeAgain(next, rounds, request)
      queue = [again, ...rest]
    }
    return results
  }

  readonly #decide = (
    entity: string,
    standing: Parameters<typeof decide>[0],
    attempt: Attempt,
    horizon: number,
  ): ReturnType<typeof decide> => {
    const { maxDriftMs } = this.#options
    return decide(standing, attempt, rulesOf(this.#store.entities.get(entity)?.definition), {
      nowMs: this.#env.now(),
      maxDriftMs,
      node: 'server',
      horizon,
    })
  }

  async #prepareAll(plans: readonly Plan[], request: Request): Promise<Prepared[]> {
    const found = await this.#look(plans, request.sender)
    const queue: Prepared[] = []
    for (const planned of plans) {
      // only schemas and access rules are waited for: a promise for each mutation costs more than preparing it
      const judged = planned.judged ? await this.#judge(planned, found, request.views) : planned
      queue.push('attempts' in judged ? judged : this.#prepare(judged, found, request))
    }
    return queue
  }

  /** As access rules and schemas let it pass. */
  async #judge(plan: Plan, found: ReadonlyMap<string, LookedUp>, views: Views): Promise<Plan | Prepared> {
    const draft = new Draft(found)
    const writes: PlannedWrite[] = []
    const asking = {
      views,
      log: this.#log,
      inTime: <T>(answer: T | Promise<T>): Promise<T> =>
        this.#withDeadline(answer, 'FORBIDDEN', 'the write rule'),
    }
    try {
      for (const write of plan.writes) {
        const { id, row } = draft.get(write)
        const planned = await allowed(write, { id, row }, asking)
        if (planned === null) continue
        await validate(planned, id, row, this.#log)
        draft.note(planned)
        writes.push(planned)
      }
      return { ...plan, writes }
    } catch (error) {
      return refusedBy(plan.mutation, error)
    }
  }

  async #judgeAgain(prepared: Prepared, rounds: number, request: Request): Promise<Prepared> {
    const { mutation } = prepared
    if (rounds > maxResolveRounds) return { mutation, attempts: [], rejected: movedTooOften().toJSON() }
    const [again] = await this.#prepareAll([plan(this.#store.entities, mutation)], request)
    return again ?? prepared
  }

  /** One question per entity: each costs the store a view of its unfolded log. */
  async #look(plans: readonly Plan[], sender: Sender): Promise<Map<string, LookedUp>> {
    const wanted = new Map<string, Set<string>>()
    for (const { writes } of plans) {
      for (const { info, id, needsRow } of writes)
        if (needsRow) wanted.set(info.name, (wanted.get(info.name) ?? new Set()).add(id))
    }
    const found = new Map<string, LookedUp>()
    for (const [entity, ids] of wanted) {
      const asked = [...ids]
      const rows = await this.#store.look(entity, asked, sender)
      for (const [i, row] of rows.entries()) found.set(rowName(entity, asked[i] ?? row.id), row)
    }
    return found
  }

  #prepare(
    { mutation, writes, rejected, needsRow }: Plan,
    found: ReadonlyMap<string, LookedUp>,
    { sender, epoch }: Request,
  ): Prepared {
    if (rejected !== undefined) return { mutation, attempts: [], rejected }
    try {
      const attempts: PreparedWrite[] = []
      const base = baseOf(mutation, epoch)
      const draft = needsRow ? new Draft(found) : null
      for (const planned of writes) attempts.push(this.#prepareWrite(planned, mutation, sender, base, draft))
      return { mutation, attempts }
    } catch (error) {
      return refusedBy(mutation, error)
    }
  }

  #prepareWrite(
    planned: PlannedWrite,
    mutation: Mutation,
    sender: Sender,
    base: number | null,
    draft: Draft | null,
  ): PreparedWrite {
    const { write, values } = planned
    const row = draft?.get(planned).row ?? null
    // only users of the bare protocol push without a base, and often whole rows: what they did not change is not theirs
    const isPatch = mutation.base === null && write.action === 'update' && row !== null
    const cutValues = isPatch ? (cut(row, values) ?? {}) : values
    draft?.note(planned)
    return {
      entity: write.entity,
      id: planned.sent,
      values: planned.key === null ? cutValues : { ...planned.key, ...cutValues },
      was: write.was,
      judged: planned.info.definition.access === undefined ? undefined : draft?.seqOf(planned),
      attempt: {
        action: write.action,
        columns: Object.keys(cutValues),
        upsert: write.upsert === true,
        base,
        stamp: mutation.stamp,
        client: sender.client,
      },
    }
  }

  async #resolve(
    prepared: Prepared,
    asked: Extract<Accepted, { kind: 'resolve' }>,
    rounds: number,
    sender: Sender,
  ): Promise<Prepared> {
    try {
      if (rounds > maxResolveRounds) throw movedTooOften()
      const attempts = [...prepared.attempts]
      for (const { index, columns } of asked.writes) {
        const write = attempts[index]
        if (write !== undefined) attempts[index] = await this.#resolveWrite(write, columns, sender)
      }
      return { ...prepared, attempts }
    } catch (error) {
      const reported =
        error instanceof SyncError
          ? error
          : new SyncError('RESOLVER_FAILED', `the resolver failed: ${textOf(error)}`)
      this.#log.error(
        { err: error, mutation: prepared.mutation.n },
        'syncline: a conflict resolver failed; the stored value was kept',
      )
      return { ...prepared, rejected: reported.toJSON() }
    }
  }

  async #resolveWrite(
    write: PreparedWrite,
    columns: readonly string[],
    sender: Sender,
  ): Promise<PreparedWrite> {
    const definition = this.#store.entities.get(write.entity)?.definition
    const [found] = await this.#store.look(write.entity, [write.id], sender)
    if (definition === undefined || found === undefined || found.row === null) return write
    const server = found.row
    const asked = { server, client: { ...server, ...write.values }, columns }
    const context = { entity: write.entity, id: found.id, ...this.#stampsOf(found, write.attempt), columns }
    const merged = await this.#withDeadline(
      resolveRow(definition, asked, context),
      'RESOLVER_FAILED',
      'the resolver',
    )
    return {
      ...write,
      attempt: {
        ...write.attempt,
        resolution: { seq: found.standing.seq, changes: cut(server, merged) ?? {} },
      },
    }
  }

  #stampsOf(found: LookedUp, attempt: Attempt): { serverStamp: string | null; clientStamp: string | null } {
    const stamps = [found.standing.whole, ...Object.values(found.standing.cells)].map(
      cell => cell?.stamp ?? '',
    )
    const serverStamp = stamps.sort().at(-1) ?? ''
    const clientStamp =
      attempt.stamp === null
        ? null
        : clampStamp(attempt.stamp, this.#env.now(), 'server', this.#options.maxDriftMs)
    return { serverStamp: serverStamp === '' ? null : serverStamp, clientStamp }
  }

  #withDeadline<T>(result: T | Promise<T>, code: ErrorCode, who: string): Promise<T> {
    return new Promise((resolve, reject) => {
      const ms = this.#options.resolverDeadlineMs
      const cancel = this.#env.after(ms, () =>
        reject(new SyncError(code, `${who} took longer than ${ms} ms`)),
      )
      Promise.resolve(result).then(resolve, reject).finally(cancel)
    })
  }
}

/** The contested columns with a resolver of their own are settled by it, the others by the row's. */
async function resolveRow(
  { fields, resolver }: EntityDefinition,
  {
    server,
    client,
    columns,
  }: { readonly server: Row; readonly client: Row; readonly columns: readonly string[] },
  context: ResolveContext,
): Promise<Row> {
  const own = columns.filter(
    column => Object.hasOwn(fields, column) && fields[column]?.resolver !== undefined,
  )
  const shared = own.length < columns.length ? await resolver?.resolve(server, client, context) : undefined
  const merged: Record<string, Json> = { ...server, ...shared }
  for (const column of own)
    merged[column] =
      (await fields[column]?.resolver?.(server[column] ?? null, client[column] ?? null, context)) ?? null
  return merged
}

function movedTooOften(): SyncError {
  return new SyncError('CONFLICT', 'the row kept changing while the change was judged; send it again')
}

/** What cannot succeed by being sent again is booked as rejected. */
function refusedBy(mutation: Mutation, error: unknown): Prepared {
  if (error instanceof SyncError && !error.retryable)
    return { mutation, attempts: [], rejected: error.toJSON() }
  throw error
}

/** A base names a place in one log; one of another log has seen nothing of this one. An empty epoch means this log. */
function baseOf(mutation: Mutation, epoch: string): number | null {
  if (mutation.base === null) return null
  return mutation.base.epoch === '' || mutation.base.epoch === epoch ? mutation.base.seq : 0
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** For answers to whole requests. */
export function asErrorBody(error: unknown): ErrorBody {
  return error instanceof SyncError
    ? error.toJSON()
    : { code: 'INTERNAL', message: 'the server failed; the log names the cause' }
}
