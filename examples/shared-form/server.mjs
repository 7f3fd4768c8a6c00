// `npm run example:shared-form`. PORT (default 3000), HOST (127.0.0.1), DATA_DIR (.data beside this file).
import path from 'node:path'
import { listen } from '../todo_sync/listen.mjs'
import { openApp } from './app.mjs'

const dataDir = process.env.DATA_DIR ?? path.join(import.meta.dirname, '.data')
await listen({ name: 'shared-form', apps: [await openApp({ dataDir })] })
