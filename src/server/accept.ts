// Line B, the server's end: a pushed mutation is authorized, validated, deduplicated, decided and committed. What needs
// the world (schemas, resolvers) runs before the transaction; inside it the store asks `decide`, which is pure. If a
// resolver's row moved meanwhile, it runs again.
import { clampStamp, cut, decide, idOfRow, isForbiddenName, isTemporaryId, SyncError } from '../core/index.ts'
import type {
  Attempt,
  ErrorBody,
  FieldMergeStrategy,
  Grain,
  Json,
  Mutation,
  MutationResult,
  Row,
  Rules,
  StandardIssue,
  Write,
} from '../core/index.ts'
import type { Logger, ServerEnv } from './env.ts'
import type { Accepted, EntityInfo, LookedUp, Prepared, PreparedWrite, Sender, ServerStore } from './store.ts'

export interface AcceptOptions {
  readonly strategy: FieldMergeStrategy
  readonly grain: Grain
  readonly maxDriftMs: number
  /** How long a resolver may take. */
  readonly resolverDeadlineMs: number
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

  /** Results in the order of the mutations. Throws what `store.accept` throws; then nothing of the rest was stored. */
  async accept(sender: Sender, mutations: readonly Mutation[], acked: number): Promise<MutationResult[]> {
    const results: MutationResult[] = []
    const epoch = (this.#epoch ??= (await this.#store.head()).epoch)
    let queue: Prepared[] = []
    for (const mutation of mutations) queue.push(await this.#prepare(mutation, sender, epoch))
    for (let rounds = 0; queue.length > 0;) {
      const outcome = await this.#store.accept(sender, queue, this.#decide, acked)
      const done = outcome.filter(
        (item): item is Extract<Accepted, { kind: 'result' }> => item.kind === 'result',
      )
      results.push(...done.map(item => item.result))
      const unresolved = outcome[done.length]
      if (unresolved === undefined || unresolved.kind !== 'resolve') break
      rounds = done.length > 0 ? 1 : rounds + 1
      const [next, ...rest] = queue.slice(done.length)
      if (next === undefined) break
      queue = [await this.#resolve(next, unresolved, rounds), ...rest]
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
    return decide(standing, attempt, this.#rules(entity), {
      nowMs: this.#env.now(),
      maxDriftMs,
      node: 'server',
      horizon,
    })
  }

  #rules(entity: string): Rules {
    const definition = this.#store.entities.get(entity)?.definition
    return {
      grain: definition?.grain ?? this.#options.grain,
      strategy: definition?.strategy ?? this.#options.strategy,
      resolver: definition?.resolver !== undefined,
    }
  }

  async #prepare(mutation: Mutation, sender: Sender, epoch: string): Promise<Prepared> {
    try {
      const attempts: PreparedWrite[] = []
      const base = baseOf(mutation, epoch)
      for (const write of mutation.writes)
        attempts.push(await this.#prepareWrite(write, mutation, sender, base))
      return { mutation, attempts }
    } catch (error) {
      if (error instanceof SyncError && !error.retryable)
        return { mutation, attempts: [], rejected: error.toJSON() }
      throw error
    }
  }

  async #prepareWrite(
    write: Write,
    mutation: Mutation,
    sender: Sender,
    base: number | null,
  ): Promise<PreparedWrite> {
    const info = this.#store.entities.get(write.entity)
    if (info === undefined)
      throw new SyncError('UNKNOWN_ENTITY', `no entity '${write.entity.slice(0, 80)}' is synced here`)
    const values = takeColumns(info, write)
    const id = idOfWrite(info, write)
    const needsRow =
      write.action === 'update' && (info.definition.schema !== undefined || mutation.base === null)
    const found = needsRow ? (await this.#store.look(write.entity, [id]))[0] : undefined
    await validate(info, write, values, found?.row ?? null)
    // only users of the bare protocol push without a base, and often whole rows: what they did not change is not theirs
    const cutValues = mutation.base === null && found?.row != null ? (cut(found.row, values) ?? {}) : values
    return {
      entity: write.entity,
      id,
      values: cutValues,
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
  ): Promise<Prepared> {
    try {
      if (rounds > maxResolveRounds)
        throw new SyncError('CONFLICT', 'the row kept changing while its resolver ran; send the change again')
      const attempts = [...prepared.attempts]
      for (const { index, columns } of asked.writes) {
        const write = attempts[index]
        if (write !== undefined) attempts[index] = await this.#resolveWrite(write, columns)
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

  async #resolveWrite(write: PreparedWrite, columns: readonly string[]): Promise<PreparedWrite> {
    const resolver = this.#store.entities.get(write.entity)?.definition.resolver
    const [found] = await this.#store.look(write.entity, [write.id])
    if (resolver === undefined || found === undefined || found.row === null) return write
    const server = found.row
    const client = { ...server, ...write.values }
    const merged = await this.#withDeadline(
      resolver.resolve(server, client, {
        entity: write.entity,
        id: write.id,
        ...this.#stampsOf(found, write.attempt),
        columns,
      }),
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

  #withDeadline(result: Row | Promise<Row>): Promise<Row> {
    return new Promise((resolve, reject) => {
      const ms = this.#options.resolverDeadlineMs
      const cancel = this.#env.after(ms, () =>
        reject(new SyncError('RESOLVER_FAILED', `the resolver took longer than ${ms} ms`)),
      )
      Promise.resolve(result).then(resolve, reject).finally(cancel)
    })
  }
}

/** A base names a place in one log; one of another log has seen nothing of this one. An empty epoch means this log. */
function baseOf(mutation: Mutation, epoch: string): number | null {
  if (mutation.base === null) return null
  return mutation.base.epoch === '' || mutation.base.epoch === epoch ? mutation.base.seq : 0
}

/** The written columns without the key, checked against the table; unknown ones are refused or dropped as configured. */
function takeColumns(info: EntityInfo, write: Write): Row {
  const { definition, shape, generated } = info
  const columns = new Set(shape.columns.map(([name]) => name))
  const values: Record<string, Json> = {}
  for (const [name, value] of Object.entries(write.data ?? {})) {
    if (shape.key.includes(name)) continue
    if (!columns.has(name) || isForbiddenName(name)) {
      if (definition.unknownFields === 'ignore') continue
      throw new SyncError('UNKNOWN_FIELD', `'${info.name}' has no column '${name.slice(0, 80)}'`, {
        details: { field: name.slice(0, 80) },
      })
    }
    if (generated.has(name)) continue
    if (definition.serverOwned.includes(name)) {
      throw new SyncError('INVALID_VALUE', `'${name}' of '${info.name}' is written by the server only`, {
        details: { field: name },
      })
    }
    values[name] = value
  }
  return values
}

/** The canonical id; key columns in the data must agree with it. */
function idOfWrite(info: EntityInfo, write: Write): string {
  const fromData = write.data === undefined ? null : idOfRow(write.data, info.shape.key)
  if (isTemporaryId(write.id))
    return write.action === 'create' && fromData !== null && !isTemporaryId(fromData)
      ? checkId(info, fromData)
      : write.id
  const id = checkId(info, write.id)
  if (fromData !== null && !isTemporaryId(fromData) && checkId(info, fromData) !== id) {
    throw new SyncError(
      'INVALID_ID',
      `the key in the data (${fromData.slice(0, 80)}) is not the id (${id.slice(0, 80)}); a key cannot be changed by an update`,
    )
  }
  return id
}

function checkId(info: EntityInfo, id: string): string {
  if (!info.integerKey) return id
  if (!/^-?\d{1,19}$/.test(id))
    throw new SyncError(
      'INVALID_ID',
      `'${id.slice(0, 80)}' is no id of '${info.name}': its key is an integer`,
    )
  const value = BigInt(id)
  if (value < -(2n ** 63n) || value >= 2n ** 63n)
    throw new SyncError('INVALID_ID', `${id} does not fit a 64-bit integer key`)
  return String(value)
}

/** Whole rows are judged by the schema; of an update, only what it says about the written columns counts. */
async function validate(info: EntityInfo, write: Write, values: Row, stored: Row | null): Promise<void> {
  const schema = info.definition.schema
  if (schema === undefined || write.action === 'delete') return
  const keyed = write.data ?? {}
  const result = await schema['~standard'].validate({
    ...stored,
    ...keyColumns(info, keyed, write.id),
    ...values,
  })
  if (result.issues === undefined) return
  const issues = result.issues.map(issue => ({ message: issue.message, path: pathOf(issue) }))
  const concerning = issues.filter(issue => {
    const column = issue.path[0]
    if (column !== undefined && info.shape.key.includes(column)) return false
    return write.action === 'create' || column === undefined || Object.hasOwn(values, column)
  })
  if (concerning.length === 0) return
  const text = concerning.map(issue => `${issue.path.join('.')}: ${issue.message}`).join('; ')
  throw new SyncError('VALIDATION_FAILED', `'${info.name}' was refused by its schema: ${text}`, {
    details: { issues: concerning },
  })
}

function keyColumns(info: EntityInfo, data: Row, id: string): Row {
  const column = info.shape.key[0]
  if (info.shape.key.length > 1 || column === undefined) return data
  return { [column]: info.integerKey && Number.isSafeInteger(Number(id)) ? Number(id) : id }
}

function pathOf(issue: StandardIssue): string[] {
  return (issue.path ?? []).map(part => String(typeof part === 'object' ? part.key : part))
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
