// An application that writes, with and without what watches it. No engine runs in this process while it writes.
import { createSyncEngine } from 'syncline'
import { answerCalls } from '../process.mjs'
import { columns, makeRow, valuesOf } from '../rows.mjs'
import { openDatabase } from '../servers/database.mjs'

const perTransaction = 100

const preparations = {
  plain: () => {},
  /** The control: what a hand-made log of row images would write. */
  json(db) {
    const image = columns.map(column => `'${column}',NEW.${column}`).join(',')
    db.exec(`CREATE TABLE log (seq INTEGER PRIMARY KEY, at INTEGER, op TEXT, id INTEGER, row TEXT);
      CREATE TRIGGER log_i AFTER INSERT ON items BEGIN INSERT INTO log(at,op,id,row) VALUES (julianday('now'),'c',NEW.id,json_object(${image})); END;
      CREATE TRIGGER log_u AFTER UPDATE ON items BEGIN INSERT INTO log(at,op,id,row) VALUES (julianday('now'),'u',NEW.id,json_object(${image})); END;`)
  },
  async syncline(db) {
    const engine = await createSyncEngine({ db, entities: ['items'], retentionDays: false })
    await engine.close()
  },
}

async function run({ variant, kind, rows, writes, unique }) {
  const db = openDatabase({ rows: kind === 'update' ? rows : 0, synchronous: 'NORMAL' })
  db.exec('DROP INDEX items_updated')
  if (unique) db.exec('CREATE UNIQUE INDEX items_title ON items(title)')
  await preparations[variant](db)
  const insert = db.prepare('INSERT INTO items VALUES (?,?,?,?,?,?)')
  const update = db.prepare('UPDATE items SET title = ?, done = ?, updated_at = ? WHERE id = ?')
  const todo = Array.from({ length: writes }, (_, i) =>
    makeRow(kind === 'insert' ? i + 1 : ((i * 7919) % rows) + 1, i + 1),
  )
  const start = performance.now()
  for (let i = 0; i < writes; i += perTransaction) {
    db.exec('BEGIN')
    for (const row of todo.slice(i, i + perTransaction)) {
      if (kind === 'insert') insert.run(...valuesOf(row))
      else update.run(row.title, row.done, row.updated_at, row.id)
    }
    db.exec('COMMIT')
  }
  const ms = performance.now() - start
  const logged =
    variant === 'syncline' ? db.prepare('SELECT count(*) FROM _syncline_tail').pluck().get() : writes
  const fold = variant === 'syncline' ? await foldTime(db) : 0
  db.close()
  return { us: (ms * 1000) / writes, logged, fold: (fold * 1000) / writes }
}

/** The engine's share, off the writer's path: CPU until everything is folded. */
async function foldTime(db) {
  const before = process.cpuUsage()
  const engine = await createSyncEngine({ db, entities: ['items'], retentionDays: false })
  await engine.cleanup(36_500)
  const { user, system } = process.cpuUsage(before)
  await engine.close()
  return (user + system) / 1000
}

answerCalls({ run })
