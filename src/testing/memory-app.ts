// The application's side of a memory database, in the words of the contract suite.
import type { App, AppTransaction, Statements } from './contracts/server-store-kit.ts'
import type { MemoryDatabase } from './memory-database.ts'
import type { MemoryTransaction } from './memory-transaction.ts'

/** Each statement by itself is a transaction; `begin` opens one that others do not see. */
export function memoryApp(database: MemoryDatabase): App {
  const alone = (run: (transaction: MemoryTransaction) => unknown): Promise<void> =>
    new Promise(resolve => {
      database.write(run)
      resolve()
    })
  return {
    ...statements(alone),
    async begin(): Promise<AppTransaction> {
      const transaction = database.begin()
      const within = async (run: (transaction: MemoryTransaction) => unknown): Promise<void> => {
        run(transaction)
      }
      return {
        ...statements(within),
        savepoint: async () => {
          const back = transaction.savepoint()
          return async () => back()
        },
        commit: async () => transaction.commit(),
        rollback: async () => transaction.rollback(),
      }
    },
  }
}

function statements(
  execute: (run: (transaction: MemoryTransaction) => unknown) => Promise<void>,
): Statements {
  return {
    insert: (table, row) => execute(transaction => transaction.insert(table, row)),
    update: (table, id, patch) => execute(transaction => transaction.update(table, id, patch)),
    remove: (table, id) => execute(transaction => transaction.remove(table, id)),
    replace: (table, row) => execute(transaction => transaction.replace(table, row)),
    move: (table, id, newId) => execute(transaction => transaction.move(table, id, newId)),
  }
}
