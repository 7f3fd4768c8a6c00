// What nobody waits for: folding the tail soon after writes, forgetting what retention allows once an hour.
import type { Logger, ServerEnv } from './env.ts'
import type { ServerStore } from './store.ts'

/** Milliseconds after a write before the fold begins: a row that is written again meanwhile is written down once. */
const foldDelayMs = 1_000
/** After a fold that could not run (another writer holds the lock). */
const retryMs = 250
const cleanupEveryMs = 3_600_000

export class Maintenance {
  readonly #store: ServerStore
  readonly #env: ServerEnv
  readonly #log: Logger
  readonly #retentionMs: number
  #cancelFold: (() => void) | null = null
  #cancelCleanup: (() => void) | null = null
  #running: Promise<void> = Promise.resolve()
  #stopped = false

  constructor(store: ServerStore, env: ServerEnv, log: Logger, retentionMs: number) {
    this.#store = store
    this.#env = env
    this.#log = log
    this.#retentionMs = retentionMs
  }

  start(): () => void {
    this.noteWrites()
    this.#scheduleCleanup(60_000)
    return () => {
      this.#stopped = true
      this.#cancelFold?.()
      this.#cancelCleanup?.()
    }
  }

  /** The log may have grown. */
  noteWrites(): void {
    if (this.#stopped || this.#cancelFold !== null) return
    this.#cancelFold = this.#env.after(foldDelayMs, () => this.#fold())
  }

  #fold(): void {
    this.#running = this.#running
      .then(() => this.#store.fold())
      .then(more => this.#folded(more, more ? 0 : null))
      .catch((error: unknown) => {
        this.#log.warn({ err: error }, 'syncline: the log could not be folded; trying again')
        this.#folded(true, retryMs)
      })
  }

  #folded(more: boolean, delay: number | null): void {
    this.#cancelFold = null
    if (more && !this.#stopped) this.#cancelFold = this.#env.after(delay ?? 0, () => this.#fold())
  }

  async cleanup(olderThanMs: number): Promise<number> {
    while ((await this.#store.fold()) && !this.#stopped) {
      // a long tail is many rounds, and everybody's changes wait while one runs
      await new Promise<void>(resolve => this.#env.soon(resolve))
    }
    return this.#store.cleanup(this.#env.now() - olderThanMs)
  }

  #scheduleCleanup(delay: number): void {
    if (this.#retentionMs === 0 || this.#stopped) return
    this.#cancelCleanup = this.#env.after(delay, () => {
      this.#running = this.#running
        .then(async () => {
          const forgotten = await this.cleanup(this.#retentionMs)
          if (forgotten > 0) this.#log.info({ forgotten }, 'syncline: old log entries were forgotten')
        })
        .catch((error: unknown) =>
          this.#log.warn(
            { err: error },
            'syncline: old log entries could not be forgotten; trying again later',
          ),
        )
      this.#scheduleCleanup(cleanupEveryMs)
    })
  }

  settled(): Promise<void> {
    return this.#running
  }
}
