// `npm run example:todo_sync`. PORT (default 3000), HOST (127.0.0.1), DATA_DIR (./.data beside this file).
import { openApp } from './app.mjs'
import { listen } from './listen.mjs'

const dataDir = process.env.DATA_DIR ?? new URL('.data', import.meta.url).pathname
await listen({ name: 'todo_sync', apps: [await openApp({ dataDir })] })
