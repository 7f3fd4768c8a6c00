// `npm run example:todo_sync`. PORT (default 3000), HOST (127.0.0.1), DATA_DIR (.data beside this file).
import path from 'node:path'
import { openApp } from './app.mjs'
import { listen } from './listen.mjs'

const dataDir = process.env.DATA_DIR ?? path.join(import.meta.dirname, '.data')
await listen({ name: 'todo_sync', apps: [await openApp({ dataDir })] })
