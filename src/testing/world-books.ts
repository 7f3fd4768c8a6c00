// What a world remembers of everybody's writes, from the wire and from the disks, and what must be true of them in the
// end: each that was durable happened once or has an answer that says why not (rules Q1, Q3, Q4, Q5).
import type { MutationResult, Mutation, Row } from '../core/index.ts'
import { markColumns } from './world-schema.ts'

interface Noted {
  readonly marks: readonly string[]
  /** Its disk was taken away while it waited there. */
  evicted: boolean
  durable: boolean
  sent: boolean
  readonly results: MutationResult[]
  /** It was processed on a branch of the log that is no more. */
  branched: boolean
}

export class Books {
  readonly problems: string[] = []
  /** Owners whose disk failed: their numbers may come again, and nobody can know. */
  readonly #forgetful = new Set<string>()
  readonly #dead = new Set<string>()
  readonly #noted = new Map<string, Noted>()
  /** Where each mark was written. */
  readonly #columns = new Map<string, string>()
  /** The number of its mutation, the newest where it was sent again. */
  readonly #numbers = new Map<string, number>()
  /** Of each disk that was taken away: what had waited there, and how many edits were announced as lost with it. */
  readonly #evictions: {
    readonly owner: string
    readonly waited: Map<string, Noted>
    announced: number | null
  }[] = []
  /** Rows of which only what had changed was sent. */
  patches = 0
  readonly #healed = new Set<string>()
  /** Clients whose edits were thrown away on purpose. */
  readonly #cleared = new Set<string>()
  /** Tables and columns of which somebody settled a record. */
  readonly #settled = new Set<string>()
  /** Marks that somebody brought back by hand, or wrote over what stands. */
  readonly #again = new Set<string>()
  /** Who speaks on each line. */
  readonly #clients = new WeakMap<object, string>()
  #marks = 0
  #branchedAt = -Infinity

  /** A text that nobody wrote before. */
  mark(author: string): string {
    return `${author}.${++this.#marks}`
  }

  get size(): number {
    return this.#noted.size
  }

  durable(owner: string, client: string, mutation: Mutation): void {
    this.#of(owner, client, mutation).durable = true
  }

  /** A frame that reached the server. */
  up(owner: string, text: string, _sentAt: number, line: object): void {
    const [, client] = /^\{"type":"hello".*"client":"([\w-]+)"/.exec(text) ?? []
    if (client !== undefined) this.#clients.set(line, client)
    // all of it once more, although it holds some: nobody who was not healed is sent a change of a row that they lack
    if (
      !this.#healed.has(owner) &&
      /^\{"type":"subscribe".*"cursor":\{[^}]*\},"marks":[^\]]*\],"shape":null/.test(text)
    )
      this.problems.push(`[S13] ${owner} was sent a patch of a row that it lacked: ${text}`)
    if (!text.startsWith('{"type":"mutate"')) return
    const { mutations } = JSON.parse(text) as { mutations: Mutation[] } // reason: our own client printed it
    for (const mutation of mutations) this.#of(owner, this.#clients.get(line) ?? '', mutation).sent = true
  }

  /** A frame that reached the client. */
  down(owner: string, text: string, sentAt: number, line: object): void {
    if (text.includes(',"patches":[')) this.patches += 1
    if (text.startsWith('{"type":"reset"')) this.#healed.add(owner)
    if (!text.startsWith('{"type":"results"')) return
    const { results } = JSON.parse(text) as { results: MutationResult[] } // reason: our own server printed it
    for (const result of results) {
      const noted = this.#noted.get(`${owner} ${this.#clients.get(line)} ${result.n}`)
      noted?.results.push(result)
      // it was on its way while the backup was put in place
      if (noted !== undefined && sentAt <= this.#branchedAt) noted.branched = true
    }
  }

  /** The client itself says that it is a dead letter, maybe before it was on disk. */
  rejected(owner: string, client: string, n: number): void {
    this.#dead.add(`${owner} ${client} ${n}`)
  }

  /** The disk of `owner` is empty now. */
  evict(owner: string): void {
    // one after the other with no page in between to say so is announced as one
    let open = this.#evictions.find(one => one.owner === owner && one.announced === null)
    if (open === undefined) this.#evictions.push((open = { owner, waited: new Map(), announced: null }))
    for (const [key, noted] of this.#noted) {
      if (!key.startsWith(`${owner} `) || !noted.durable || noted.evicted || noted.results.length > 0)
        continue
      open.waited.set(key, noted)
      noted.evicted = true
    }
  }

  /** All that this client has not sent goes, because its user says so. */
  cleared(owner: string, client: string): void {
    this.#cleared.add(`${owner} ${client}`)
  }

  /** A user settles a conflict: these values may be written once more, and its record is forgotten in a while. */
  settles(entity: string, field: string | null, values: readonly unknown[]): void {
    this.#settled.add(`${entity} ${field}`)
    for (const value of values) if (typeof value === 'string') this.#again.add(value)
  }

  /** Whether a value may come back by somebody's hand. */
  mayReturn(value: unknown): boolean {
    return typeof value === 'string' && this.#again.has(value)
  }

  /** A page found its disk new, and says how many edits may be lost. */
  announced(owner: string, lost: number): void {
    const open = this.#evictions.find(one => one.owner === owner && one.announced === null)
    if (open === undefined) this.problems.push(`[R12] ${owner} announced an eviction that was none`)
    else open.announced = lost
  }

  /** A backup is about to be put in place: what was processed until now may be no more. */
  branch(history: ReadonlyMap<string, number>, now: number): void {
    this.#branchedAt = now
    const blended = blends(history)
    for (const noted of this.#noted.values()) {
      const stored = noted.marks.some(mark => history.has(mark) || blended.has(mark))
      if (noted.results.length > 0 || stored) noted.branched = true
    }
  }

  diskFailed(owner: string): void {
    this.#forgetful.add(owner)
  }

  #of(owner: string, client: string, mutation: Mutation): Noted {
    const key = `${owner} ${client} ${mutation.n}`
    const placed = marksIn(mutation)
    const marks = placed.map(([mark]) => mark)
    for (const [mark, column] of placed) {
      this.#columns.set(mark, column)
      this.#numbers.set(mark, Math.max(mutation.n ?? 0, this.#numbers.get(mark) ?? 0))
    }
    const known = this.#noted.get(key)
    if (known === undefined) {
      const made: Noted = { marks, evicted: false, durable: false, sent: false, results: [], branched: false }
      this.#noted.set(key, made)
      return made
    }
    if (known.marks.join() !== marks.join() && !this.#forgetful.has(owner))
      this.problems.push(`[Q1] number ${key} names two mutations: ${known.marks.join()} and ${marks.join()}`)
    return known
  }

  /** `history`: how often each mark was written. `records`: of values that did not survive. */
  check(history: ReadonlyMap<string, number>, records: Iterable<Row>): void {
    const inbox = inboxOf(records)
    const users = new Map<string, number>()
    for (const { marks } of this.#noted.values())
      for (const mark of marks) users.set(mark, (users.get(mark) ?? 0) + 1)
    const blended = blends(history)
    for (const [mark, count] of history) {
      if (mark.startsWith('blends ') || this.#again.has(mark.split(' ')[1] ?? '')) continue
      // a dead letter that was retried has two numbers; each may be stored once
      if (count > Math.max(1, users.get(mark) ?? 1))
        this.problems.push(`[Q3] ${mark} was stored ${count} times`)
    }
    // a page that goes on as another client sends it again, and is answered under another number
    const answered = new Set(
      Array.from(this.#noted.values()).flatMap(({ marks, results }) => (results.length > 0 ? marks : [])),
    )
    for (const { owner, waited, announced } of this.#evictions) {
      const lost = Array.from(waited).filter(([key, { marks, results, branched }]) => {
        const stored = marks.some(mark => history.has(mark) || blended.has(mark))
        const told = results.length > 0 || marks.some(mark => answered.has(mark))
        return marks.length > 0 && !stored && !branched && !told && !this.#isLetGo(key)
      })
      if (lost.length > (announced ?? 0) && !this.#forgetful.has(owner))
        this.problems.push(
          `[R12] ${owner} lost ${lost.map(([key]) => key).join()} to an eviction, and announced ${announced}`,
        )
    }
    for (const [key, noted] of this.#noted) {
      if (this.#forgetful.has(key.split(' ')[0] ?? '')) continue
      for (const mark of noted.marks) {
        if (this.#again.has(mark.split(' ')[1] ?? '')) continue
        const stored = history.has(mark) || blended.has(mark)
        this.#checkMark(key, noted, mark, stored, (users.get(mark) ?? 0) > 1)
        this.#checkRecord(key, noted, mark, stored, inbox)
      }
    }
  }

  #isLetGo(key: string): boolean {
    return this.#dead.has(key) || this.#cleared.has(key.slice(0, key.lastIndexOf(' ')))
  }

  /** A value that lost is on record, or one that the same client lost in the same place after it. */
  #checkRecord(
    key: string,
    { results, branched, evicted }: Noted,
    mark: string,
    stored: boolean,
    inbox: ReadonlyMap<string, readonly string[]>,
  ): void {
    const column = this.#columns.get(mark)
    const lost = results.some(
      ({ status, lost: columns }) =>
        status !== 'rejected' && columns?.some(one => one.columns.includes(column ?? '')),
    )
    if (stored || branched || evicted || !lost) return
    const [, client = '', n] = key.split(' ')
    const [table = ''] = mark.split(' ')
    if (this.#settled.has(`${table} ${column}`)) return
    const found = inbox.get(`${client} ${table} ${column}`) ?? []
    if (!found.some(value => (this.#numbers.get(`${table} ${value}`) ?? 0) >= Number(n)))
      this.problems.push(`[I1] ${mark} of mutation ${key} was lost without a record`)
  }

  #checkMark(key: string, noted: Noted, mark: string, stored: boolean, retried: boolean): void {
    const { results, durable, branched, evicted } = noted
    if (branched || evicted) return
    const told = JSON.stringify(results.map(({ status, error, lost }) => [status, error?.code, lost]))
    const refusing = results.filter(result => refuses(result))
    if (!stored && refusing.length === 0 && !this.#isLetGo(key) && (durable || results.length > 0)) {
      this.problems.push(`[Q5] ${mark} of mutation ${key} was lost without a word: ${told}`)
    }
    if (stored && !retried && results.some(({ status }) => status === 'rejected' || status === 'conflict')) {
      this.problems.push(`[Q3] ${mark} of mutation ${key} was stored although it was refused: ${told}`)
    }
  }
}

/** What a resolver made one text of. */
function blends(history: ReadonlyMap<string, number>): Set<string> {
  const parts = new Set<string>()
  for (const mark of history.keys()) {
    const [table = '', text = ''] = mark.split(' ')
    if (table === 'blends') for (const part of text.split('|')) parts.add(`${table} ${part}`)
  }
  return parts
}

/** Whether an answer says that something of the mutation was not stored. */
function refuses({ status, error, lost }: MutationResult): boolean {
  return status === 'rejected' || status === 'conflict' || error !== undefined || lost !== undefined
}

function marksIn(mutation: Mutation): [mark: string, column: string][] {
  const marks: [string, string][] = []
  for (const { entity, data } of mutation.writes) {
    for (const column of markColumns[entity] ?? []) {
      const value = data?.[column]
      if (typeof value === 'string') marks.push([`${entity} ${value}`, column])
    }
  }
  return marks
}

/** The marks that are on record, by client, table and column. */
function inboxOf(records: Iterable<Row>): Map<string, string[]> {
  const inbox = new Map<string, string[]>()
  for (const row of records) {
    const said = ['client', 'entity', 'field', 'mine'].map(name =>
      JSON.stringify(row[name]).replaceAll(/[\\"]/g, ''),
    )
    const [client, entity, field, mine = ''] = said
    const key = `${client} ${entity} ${field}`
    inbox.set(key, [...(inbox.get(key) ?? []), mine])
  }
  return inbox
}
