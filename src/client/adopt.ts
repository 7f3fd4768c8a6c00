// What was written in this browser before anybody signed in becomes the edits of whoever is signed in now. Only when it is
// asked for: who wrote them is not known (rule A8). A part that is loaded when it is needed.
import { hello } from './crew.ts'
import { readPending } from './crew-disk.ts'
import { nothing } from './disk.ts'
import type { Engine } from './engine.ts'
import { channelOf, databaseOf, storeOf } from './opening.ts'
import type { PendingRecord } from './store.ts'
import { anonymous } from './users.ts'

/** How many edits were moved, dead letters included; each as it was written, so that it is judged by what its author knew. */
export async function adopt(engine: Engine): Promise<number> {
  await engine.opening
  const { storage, env } = engine
  const database = databaseOf(engine, anonymous)
  if (storage !== 'indexeddb' || engine.key === anonymous) return 0
  const guests = storeOf(engine, database)
  try {
    const { pending, identity } = await guests.load([])
    // it may be somebody's own by now: of the first who signed in here
    if (identity === null || (identity.user ?? anonymous) !== anonymous) return 0
    await put(engine, pending)
    await guests.save({ ...nothing, removes: pending.map(({ n }) => n) })
    // its other tabs begin anew with what is left
    const tabs = env.tabs?.channel(channelOf(database), () => {})
    tabs?.post({ type: 'cleared', client: identity.client })
    tabs?.close()
    return pending.length
  } finally {
    void guests.close()
  }
}

/** As if another tab had. What is there already was put by a page that died before it could remove it from where it was. */
async function put(engine: Engine, pending: readonly PendingRecord[]): Promise<void> {
  const { entries, identity } = engine.replica.state
  const known = Array.from(entries.values(), ({ record }) => record.tab)
  const news = pending
    .map(record => ({ ...record, tab: `${record.n} ${record.timestamp}` }))
    .filter(({ tab }) => !known.includes(tab))
  await engine.store.save({ ...nothing, news, known: identity.n })
  await readPending(engine)
  hello(engine)
}
