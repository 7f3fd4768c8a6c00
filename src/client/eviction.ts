// A browser may evict a database without a word. So a mark of each lies outside of it, in the notes that all pages of the
// browser see: which client it is of, how many edits were made there, and how many of them are over. A database whose
// client is another than the mark says is a new one in the place of one that is gone, and with that one went what was
// not over (rule R12).
import { emit } from './engine.ts'
import type { Engine } from './engine.ts'
import { databaseOf } from './opening.ts'
import { firstDraft } from './store.ts'

/** Called after every event: marks what has changed before it is on disk, so that no edit is there without its mark. */
export function watchOver(engine: Engine): void {
  const { storage, key, marked, notes, replica } = engine
  if (storage !== 'indexeddb' || engine.early !== null) return
  const { identity, entries, dead, drafts } = replica.state
  const { client, n } = identity
  const place = databaseOf(engine, key)
  const noted = notes.get(place)
  const [whose = client, ...counts] = noted?.split(' ') ?? []
  const [made = 0, over = 0] = counts.map(Number)
  const another = whose !== client
  const before = marked.get(client)
  // it slept while its database was taken away: the mark is of the one in its place by now
  if (another && before !== undefined) return
  marked.set(client, drafts)
  const waiting = entries.size + dead.size
  let mark: string
  if (before === undefined) {
    // it has just read the disk: what died on its way there is counted no longer
    const known = n + Array.from(entries.keys()).filter(entry => entry >= firstDraft).length
    mark = `${client} ${known} ${known - waiting}`
  } else {
    // what others wrote may not have reached it, so it takes nothing back. While edits of its own have no number yet it
    // knows of fewer that are over than there are, which counts some too many
    mark = `${client} ${Math.max(n, made + drafts - before)} ${Math.max(n - waiting, over)}`
  }
  if (mark !== noted) notes.set(place, mark)
  if (another && engine.cleared !== key)
    emit(engine, 'storage', { storage, reason: 'evicted', lost: made - over, error: null })
}
