// The script behind `<script src="/api/sync/client.js" data-sync-entities="...">`. Running it again changes nothing.
import { complain, createRhtmxSync } from './rhtmx.ts'
import { readScript } from './script.ts'
import './index.ts'

if (!('rhtmxSync' in window)) {
  const options = readScript(document, complain)
  if (options !== null) Object.assign(window, { rhtmxSync: createRhtmxSync(options, document) })
}
