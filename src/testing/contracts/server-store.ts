// The contract suite of the server store port: what every implementation owes, over its own database. Run it from any
// test runner whose `test` and `expect` look like vitest's. Copy `make` from the memory store's test or the SQLite one.
import type { ServerStore } from '../../server/index.ts'
import { captureTests } from './server-store-capture.ts'
import { decideTests } from './server-store-decide.ts'
import { existenceTests } from './server-store-existence.ts'
import { contractEntities } from './server-store-kit.ts'
import type { Expect, Kit, StoreUnderTest } from './server-store-kit.ts'
import { logTests } from './server-store-log.ts'
import { queueTests } from './server-store-queue.ts'
import { viewTests } from './server-store-views.ts'

export { contractDdl, contractTables, sqlApp } from './server-store-kit.ts'
export type {
  App,
  AppTransaction,
  Expect,
  Expectation,
  Statements,
  StoreUnderTest,
} from './server-store-kit.ts'

export interface TestApi {
  readonly test: (name: string, run: () => Promise<void>) => void
  readonly expect: Expect
}

/** `make` gives an empty database with the tables of `contractTables` (in SQL: `contractDdl`), before any capture. */
export function serverStoreContract(name: string, make: () => Promise<StoreUnderTest>, api: TestApi): void {
  for (const [title, run] of Object.entries({
    ...captureTests,
    ...logTests,
    ...decideTests,
    ...existenceTests,
    ...queueTests,
    ...viewTests,
  })) {
    api.test(`${name}: ${title}`, async () => {
      const under = await make()
      const stores: ServerStore[] = []
      const another = async (): Promise<ServerStore> => {
        const store = under.store()
        stores.push(store)
        await store.open(contractEntities)
        return store
      }
      try {
        await under.app.insert('lists', { id: 900, name: 'before' })
        const kit: Kit = { expect: api.expect, under, app: under.app, store: await another(), another }
        await run(kit)
      } finally {
        for (const store of stores) await store.close()
        await under.dispose()
      }
    })
  }
}
