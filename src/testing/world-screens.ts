// What a screen may never do: show a text again that it had already replaced. Each text is written once in a world, so
// one that comes back went backwards, but where the client said that it rolled something back (rules R1, R2).
import type { Json, Row } from '../core/index.ts'
import type { Change } from '../client/index.ts'
import { markColumns } from './world-schema.ts'

export class Screen {
  readonly #shown = new Map<string, Row>()
  /** Per cell, the texts that were there and were replaced. */
  readonly #replaced = new Map<string, Set<Json>>()
  readonly problems: string[] = []
  readonly #hiding: ReadonlySet<string>
  readonly #partial: boolean
  readonly #isHere: (entity: string, id: string) => boolean
  readonly #mayReturn: (value: Json) => boolean
  #excused = false
  #forgets = false

  /**
   * `hiding`: entities whose pending writes are hidden, and show again, as others write (server-wins). `partial`: rows and
   * columns may leave its sight, and come back. `isHere`: in the table and in sight, now. `mayReturn`: somebody brings it
   * back by hand.
   */
  constructor(
    hiding: ReadonlySet<string>,
    partial: boolean,
    isHere: (entity: string, id: string) => boolean,
    mayReturn: (value: Json) => boolean,
  ) {
    this.#hiding = hiding
    this.#partial = partial
    this.#isHere = isHere
    this.#mayReturn = mayReturn
  }

  /** The page began anew. */
  reload(): void {
    this.#forgets = false
    this.#shown.clear()
    this.#replaced.clear()
  }

  /**
   * It shows what the server has before it finds edits on its disk: one of them that was stored, and written over by somebody,
   * shows for a moment again.
   */
  forget(): void {
    this.#forgets = true
  }

  /** The log itself went backwards: from now on anything may come back. */
  excuse(): void {
    this.#excused = true
  }

  changed(
    change: Change,
    view: (entity: string, id: string) => Row | undefined,
    pending: (id: string) => boolean,
    who: string,
  ): void {
    // a resolver's texts are made of others
    if (this.#excused || change.entity === 'blends') return
    for (const { from, to } of change.replaced ?? []) this.#rename(change.entity, from, to)
    if (change.source === 'local' && change.version === 0) this.#cleared(change)
    for (const id of change.ids) {
      const key = `${change.entity} ${id}`
      const before = this.#shown.get(key)
      const row = view(change.entity, id)
      for (const column of markColumns[change.entity] ?? []) {
        // a pending update is not shown while its row is deleted, and again if somebody makes the row anew
        const hidden = this.#hiding.has(change.entity) || before === undefined || row === undefined
        const left = this.#partial && (row === undefined || !Object.hasOwn(row, column))
        // that it is deleted, or leaves, is told with a change that has no place in the log yet
        const going = this.#partial && !this.#isHere(change.entity, id)
        const source = hidden && pending(id) ? 'rollback' : change.source
        const backwards = this.#cell(
          `${key} ${column}`,
          before?.[column] ?? null,
          row?.[column] ?? null,
          source,
        )
        // what was shown before says nothing of what is there when it comes back
        if (left) this.#replaced.delete(`${key} ${column}`)
        if (backwards && !going)
          this.problems.push(
            `[R2] ${who} showed ${key}.${column} go back to ${JSON.stringify(row?.[column])} (${change.source})`,
          )
      }
      if (row === undefined) this.#shown.delete(key)
      else this.#shown.set(key, row)
    }
  }

  /** Its user had all of it thrown away, and it comes anew. */
  #cleared({ entity, ids }: Change): void {
    for (const id of ids) {
      this.#shown.delete(`${entity} ${id}`)
      for (const column of markColumns[entity] ?? []) this.#replaced.delete(`${entity} ${id} ${column}`)
    }
  }

  #cell(cell: string, before: Json, now: Json, source: Change['source']): boolean {
    if (before === now) return false
    const replaced = this.#replaced.get(cell) ?? new Set()
    this.#replaced.set(cell, replaced)
    // what was rolled back may come again, when its dead letter is retried
    const isFound = this.#forgets && source === 'tab'
    if (before !== null && source !== 'rollback' && !isFound) replaced.add(before)
    if (now === null || !replaced.delete(now) || this.#mayReturn(now)) return false
    // a user's own hand may bring one back: the retry of a dead letter
    return source === 'server'
  }

  #rename(entity: string, from: string, to: string): void {
    const row = this.#shown.get(`${entity} ${from}`)
    if (row !== undefined) this.#shown.set(`${entity} ${to}`, row)
    this.#shown.delete(`${entity} ${from}`)
    for (const column of markColumns[entity] ?? []) {
      const replaced = this.#replaced.get(`${entity} ${from} ${column}`)
      if (replaced !== undefined) this.#replaced.set(`${entity} ${to} ${column}`, replaced)
    }
  }
}
