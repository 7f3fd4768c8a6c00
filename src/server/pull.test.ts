import { expect, test } from 'vitest'
import type { SyncAnswer } from './http.ts'
import { changesSince } from './pull.ts'
import type { Pulling } from './pull.ts'
import type { Changes, ChangedRow, Head, SnapshotPage } from './store.ts'

const at = (seq: number): { epoch: string; seq: number; check: number } => ({ epoch: 'e', seq, check: 0 })

/** A table of which all is deleted while it is read, and a cleanup that forgets the deletes at once. */
class Vanishing {
  rows = ['1', '2']
  seq = 5
  horizon = 0
  readonly #when: 'snapshot' | 'changes'

  constructor(when: 'snapshot' | 'changes') {
    this.#when = when
  }

  #vanish(): void {
    if (this.rows.length === 0) return
    this.rows = []
    this.seq = 9
    this.horizon = 8
  }

  head(): Promise<Head> {
    return Promise.resolve({ ...at(this.seq), horizon: this.horizon })
  }

  snapshot(): Promise<SnapshotPage> {
    const rows = this.rows.map(id => ({
      id,
      seq: 1,
      json: `{"id":${id}}`,
      idJson: id,
      reading: 0,
      temporary: null,
    }))
    const page = { rows, next: null, head: at(this.seq) }
    if (this.#when === 'snapshot') this.#vanish()
    return Promise.resolve(page)
  }

  changes(): Promise<Changes> {
    if (this.#when === 'changes') this.#vanish()
    const rows: ChangedRow[] = []
    return Promise.resolve({ rows, to: at(this.seq), more: false, horizon: this.horizon, moves: [] })
  }
}

const asked = (since: number): Pulling => ({ dialect: 'plain', entity: 't', since, limit: 100 })

async function textOf({ body }: SyncAnswer): Promise<string> {
  if (body === null || typeof body === 'string' || Buffer.isBuffer(body)) return String(body)
  let text = ''
  for await (const part of body) text += part
  return text
}

test('[L6] a cleanup between two reads of the log makes the answer a whole table', async () => {
  const answer = await changesSince(new Vanishing('changes'), asked(3))
  expect(JSON.parse(await textOf(answer))).toEqual({ entity: 't', changes: [], version: 9, reset: true })
})

test('[L6] [L7] a cleanup while the table is read begins it again: what was deleted is not in the answer', async () => {
  const text = await textOf(await changesSince(new Vanishing('snapshot'), asked(0)))
  // it had been sent
  expect(text).toContain('"entity_id":"2"')
  expect(JSON.parse(text)).toEqual({ entity: 't', changes: [], version: 9 })
})

test('[L7] a table that nobody cleans is sent once', async () => {
  const store = new Vanishing('snapshot')
  store.rows = []
  const text = await textOf(await changesSince(store, asked(0)))
  expect(text).toBe('{"entity":"t","changes":[],"version":5}')
})
