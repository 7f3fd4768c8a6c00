// What a wake-up is made of: did anybody commit, and did anybody change the schema. A change of schema is repaired at
// once, before anything is read: triggers renewed, shapes taken anew (rule C8).
import type { EntityDefinition } from '../../core/index.ts'
import type { Logger, ServerEnv } from '../env.ts'
import type { ServerStore } from '../store.ts'
import { Occupied } from './access.ts'
import type { Access } from './access.ts'
import { integer } from './driver.ts'
import type { Connection } from './driver.ts'
import type { Catalog } from './entity.ts'
import { isBusy, storeError } from './failure.ts'
import { renewAll } from './install.ts'
import type { Renewed } from './install.ts'
import { tailHead } from './tail.ts'
import { startWatching } from './watch.ts'

type Listener = Parameters<ServerStore['watch']>[0]

export interface WatcherParts {
  readonly access: Access
  readonly env: ServerEnv
  readonly log: Logger
  readonly catalog: Catalog
  readonly definitions: readonly EntityDefinition[]
  readonly engine: string
  /** Called after capture was renewed, before anybody hears of it. */
  renewed(): void
}

export class Watcher {
  readonly #parts: WatcherParts
  readonly #listeners = new Set<Listener>()
  readonly #stop: () => void
  #dataVersion = -1
  #schemaVersion: number
  #head = -1
  #failed = ''

  constructor(parts: WatcherParts) {
    this.#parts = parts
    this.#schemaVersion = schemaVersionOf(parts.access.reader)
    this.#stop = startWatching(parts.env, parts.access.path, () => this.look())
  }

  watch(listener: Listener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  close(): void {
    this.#stop()
    this.#listeners.clear()
  }

  /** Whether something was new. Never throws: what fails is reported and tried again at the next look. */
  look(): boolean {
    try {
      const found = this.#look()
      this.#failed = ''
      return found
    } catch (error) {
      if (isBusy(error) || error instanceof Occupied || this.#parts.access.closed) return false
      this.#report(storeError(error))
      return false
    }
  }

  #look(): boolean {
    const { access } = this.#parts
    const { reader } = access
    // on a shared connection the application's open transaction would show what may be rolled back
    if (reader.inTransaction) return false
    // a connection's own commits do not move its data_version, so on a shared one only the log itself tells
    const dataVersion = access.path === null ? -1 : integer(reader.value('PRAGMA data_version'))
    // a change of schema is a commit like any other, and this is asked a hundred times a second
    if (access.path !== null && dataVersion === this.#dataVersion) return false
    const renew = schemaVersionOf(reader) !== this.#schemaVersion
    if (renew) this.#renew()
    const { seq } = tailHead(reader)
    const moved = renew || seq !== this.#head
    this.#dataVersion = dataVersion
    this.#head = seq
    if (moved) for (const listener of this.#listeners) listener.wake(seq)
    return moved
  }

  #renew(): void {
    const { access, catalog, definitions, engine, log, env } = this.#parts
    const renewed: Renewed = access.writeNow(db =>
      renewAll({ db, catalog, definitions, engine, log, nowMs: env.now() }),
    )
    this.#schemaVersion = schemaVersionOf(access.reader)
    this.#parts.renewed()
    if (renewed.changed.length > 0) {
      log.info({ entities: renewed.changed }, 'syncline: the schema changed; capture was renewed')
      for (const listener of this.#listeners) listener.schemaChanged(renewed.changed)
    }
    for (const error of renewed.broken) this.#report(error)
  }

  #report(error: unknown): void {
    const reported = error instanceof Error ? error : new Error(String(error))
    if (reported.message === this.#failed) return
    this.#failed = reported.message
    this.#parts.log.error({ err: reported }, 'syncline: watching the database failed')
    for (const listener of this.#listeners) listener.failed(reported)
  }
}

function schemaVersionOf(db: Connection): number {
  return integer(db.value('PRAGMA schema_version'))
}
