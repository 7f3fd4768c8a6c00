// Which rows a client means: real ids checked, temporary ones made real as far as they are known (rule Q6). Neighbours: the
// writer asks before each write and tells of what a create made; `clients` remembers it.
import { idOfRow, isTemporaryId, temporaryPrefix } from '../../core/index.ts'
import type { Json } from '../../core/index.ts'
import type { PreparedWrite } from '../store.ts'
import { realId, saveRealId } from './clients.ts'
import type { ClientKey } from './clients.ts'
import type { Connection } from './driver.ts'
import type { Catalog, Entity } from './entity.ts'
import { Refused } from './refused.ts'
import type { AcceptRequest } from './request.ts'
import { keyOf } from './tail.ts'

export interface IdParts {
  readonly db: Connection
  readonly catalog: Catalog
  readonly request: AcceptRequest
  readonly key: ClientKey
}

export class Ids {
  readonly #parts: IdParts
  /** By entity and temporary id; undefined: asked and unknown. */
  #real = new Map<string, string | undefined>()

  constructor(parts: IdParts) {
    this.#parts = parts
  }

  /** The result forgets what was told since. */
  mark(): () => void {
    const real = new Map(this.#real)
    return () => void (this.#real = real)
  }

  /** Null: the database assigns it. */
  idOf(entity: Entity, write: PreparedWrite): string | null {
    const bad = (why: string): Refused =>
      new Refused('rejected', { code: 'INVALID_ID', message: `'${write.id}' ${why} '${write.entity}'` })
    if (!isTemporaryId(write.id)) {
      const id = entity.id.check(write.id)
      if (id === null) throw bad('is no id of')
      return id
    }
    const known = this.known(entity, write.id)
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

  known(entity: Entity, id: string): string | undefined {
    if (!isTemporaryId(id)) return entity.id.check(id) ?? undefined
    const key = keyOf(entity.ent, id)
    if (!this.#real.has(key)) this.#real.set(key, realId(this.#parts.db, this.#parts.key, entity.ent, id))
    return this.#real.get(key)
  }

  /** The client hears which row its temporary id means. */
  told(entity: Entity, { id: temporary }: PreparedWrite, id: string, ids: Record<string, string>): void {
    if (!isTemporaryId(temporary) || temporary === id) return
    const { db, key, request } = this.#parts
    ids[temporary] = id
    if (temporary === temporaryPrefix) return
    const known = keyOf(entity.ent, temporary)
    if (this.#real.get(known) === id) return
    this.#real.set(known, id)
    saveRealId(db, key, entity.ent, temporary, id, request.nowMs)
  }

  /** A foreign key that holds a temporary id of this client's gets the real one. */
  reference(entity: Entity, column: string, value: Json): Json {
    if (typeof value !== 'string' || !isTemporaryId(value)) return value
    const parent = entity.table.foreignKeys.find(key => key.column === column)?.table.toLowerCase()
    for (const candidate of this.#parts.catalog.byEnt.values()) {
      if (candidate.table.name.toLowerCase() === parent) return this.known(candidate, value) ?? value
    }
    return value
  }
}
