// How the store reaches the database: a reader and a writer connection of its own for a file, the application's for one
// in memory. Nobody ever blocks the event loop for a lock: a busy database is asked again after a while (rule C11).
import { SyncError } from '../../core/index.ts'
import type { ServerEnv } from '../env.ts'
import { Connection, integer, pathOfHandle } from './driver.ts'
import type { SqliteHandle } from './driver.ts'
import { isBusy, storeError } from './failure.ts'

/**
 * Milliseconds between two tries. SQLite has no queue for its lock: who asks seldom starves beside a process that writes
 * without a pause, and one try costs some microseconds.
 */
const delays = [1, 1, 1, 1, 2, 2, 2, 2, 3] as const
const longestDelay = 5
/** Milliseconds after which a locked database is given up. */
export const busyDeadline = 5_000

export class Access {
  readonly path: string | null
  readonly reader: Connection
  readonly writer: Connection
  readonly #application: Connection
  readonly #env: ServerEnv
  /** Writers wait for each other in order of arrival. */
  #turn: Promise<unknown> = Promise.resolve()
  #waiting = 0
  #closed = false

  constructor(handle: SqliteHandle, env: ServerEnv, configure?: (handle: SqliteHandle) => void) {
    this.#env = env
    this.path = pathOfHandle(handle)
    this.#application = new Connection(handle)
    if (this.path === null) {
      this.reader = this.writer = this.#application
      return
    }
    this.reader = Connection.open(handle, this.path, configure)
    this.writer = Connection.open(handle, this.path, configure)
    // cascades and REPLACE have to mean in our writes what they mean in the application's
    for (const pragma of ['foreign_keys', 'recursive_triggers']) {
      this.writer.exec(`PRAGMA ${pragma} = ${integer(this.#application.value(`PRAGMA ${pragma}`))}`)
    }
    // What was acknowledged survives a power cut. Checkpoints half as often as by default save writing pages twice; more
    // seldom still, the WAL grows for longer, and a commit that makes the file larger is synced half as fast.
    this.writer.exec('PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 2000')
  }

  get closed(): boolean {
    return this.#closed
  }

  /** One consistent view. Throws what the database throws where `try` fails for good. */
  read<T>(run: (db: Connection) => T): Promise<T> {
    return this.#retry(() => this.readNow(run), null)
  }

  /** At once or not at all; on a shared connection an open transaction of the application's counts as busy. */
  readNow<T>(run: (db: Connection) => T): T {
    return inTransaction(this.reader, 'BEGIN', run)
  }

  /**
   * The application's own transaction comes first, also where it has only read yet: what is written beside it, its first
   * write would be refused for ("database is locked", however long it waits).
   */
  writeNow<T>(run: (db: Connection) => T): T {
    if (this.#application.inTransaction) throw new Occupied('the application has a transaction open')
    return inTransaction(this.writer, 'BEGIN IMMEDIATE', run)
  }

  /** For what can be made anew after a power cut: not synced by itself. */
  noteNow<T>(run: (db: Connection) => T): T {
    if (this.path === null || this.writer.inTransaction) return this.writeNow(run)
    this.writer.exec('PRAGMA synchronous = NORMAL')
    try {
      return this.writeNow(run)
    } finally {
      this.writer.exec('PRAGMA synchronous = FULL')
    }
  }

  /** In order of arrival; `committed` follows the commit before anybody else gets a turn. */
  write<T>(run: (db: Connection) => T, committed?: (result: T) => void): Promise<T> {
    return this.#inTurn(() => {
      const result = this.writeNow(run)
      committed?.(result)
      return result
    })
  }

  /** In order of arrival, for what has to be seen by others but need not survive a power cut. */
  note<T>(run: (db: Connection) => T): Promise<T> {
    return this.#inTurn(() => this.noteNow(run))
  }

  async #inTurn<T>(attempt: () => T): Promise<T> {
    const before = this.#turn
    const alone = this.#waiting === 0
    this.#waiting++
    // from its arrival: those who wait together give up together
    const patience = alone ? null : this.#patience()
    const mine = (async () => {
      if (!alone) await before
      return this.#retry(attempt, patience)
    })()
    this.#turn = mine.catch(() => undefined)
    try {
      return await mine
    } finally {
      this.#waiting--
    }
  }

  /** A timer, not a reading of the clock: one that is set forward ends nobody's patience. */
  #patience(): Patience {
    const patience = { over: false, end: this.#env.after(busyDeadline, () => void (patience.over = true)) }
    return patience
  }

  async #retry<T>(attempt: () => T, given: Patience | null): Promise<T> {
    let patience = given
    try {
      for (let round = 0; ; round++) {
        if (this.#closed) throw new SyncError('CLOSED', 'the store is closed')
        try {
          return attempt()
        } catch (error) {
          if (!isBusy(error) && !(error instanceof Occupied)) throw storeError(error)
          patience ??= this.#patience()
          if (patience.over) {
            throw new SyncError(
              'DATABASE_BUSY',
              `the database was locked for ${busyDeadline} ms; another writer, or the application, holds a transaction open`,
              { cause: error },
            )
          }
          // a process that has nothing else to do, as one that starts, would end
          await this.pause(delays[round] ?? longestDelay, 'awaits')
        }
      }
    } finally {
      patience?.end()
    }
  }

  pause(ms: number, awaits?: 'awaits'): Promise<void> {
    return new Promise(resolve => {
      if (ms === 0) this.#env.soon(resolve)
      else this.#env.after(ms, resolve, awaits)
    })
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    if (this.path === null) return
    this.reader.close()
    this.writer.close()
  }
}

interface Patience {
  over: boolean
  end(): void
}

/** The application has a transaction open. */
export class Occupied extends Error {}

function inTransaction<T>(db: Connection, begin: string, run: (db: Connection) => T): T {
  if (db.inTransaction) throw new Occupied('the connection has a transaction open')
  db.run(begin)
  try {
    const result = run(db)
    db.run('COMMIT')
    return result
  } catch (error) {
    // some failures (and triggers) have rolled back already
    if (db.inTransaction) db.run('ROLLBACK')
    throw error
  }
}
