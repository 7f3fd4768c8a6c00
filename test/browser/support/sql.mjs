// Somebody else's process that writes into the file, as `sqlite3 <file> <sql>` would: `node sql.mjs <file> <sql>`.
import { DatabaseSync } from 'node:sqlite'

const [file, sql] = process.argv.slice(2)
const db = new DatabaseSync(file, { timeout: 5000 })
db.exec(sql)
db.close()
