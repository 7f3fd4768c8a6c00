// A browser may evict a database without a word. So a mark of each lies outside of it, in the notes that all pages of the
// browser see: which client it is of, and how many edits wait in it. A database whose client is another than the mark
// says is a new one in the place of one that is gone, and with that one went what had waited (rule R12).
import { emit } from './engine.ts'
import type { Engine } from './engine.ts'

/** Called after every event: marks what has changed before it is on disk, so that no edit is there without its mark. */
export function watchOver(engine: Engine): void {
  const { storage, key, marks, notes, options, replica } = engine
  if (storage !== 'indexeddb' || engine.early !== null) return
  const { identity, entries, dead } = replica.state
  const place = `${options.name ?? 'syncline'}-${key}`
  const mark = `${identity.client} ${entries.size + dead.size}`
  const known = marks.get(place)
  if (known === mark) return
  marks.set(place, mark)
  const [client = identity.client, lost] = notes.get(place)?.split(' ') ?? []
  const another = client !== identity.client
  // it slept while its database was taken away: the mark is of the one in its place by now
  if (another && known?.startsWith(identity.client)) return
  notes.set(place, mark)
  if (another && engine.cleared !== key)
    emit(engine, 'storage', { storage, reason: 'evicted', lost: Number(lost), error: null })
}
