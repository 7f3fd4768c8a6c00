// The script behind `<script src="/api/sync/client.js" data-sync-entities="...">`. Running it again changes nothing.
// Without such a tag, as where a module imports it, `rhtmxSync.init({ syncEntities })` begins.
import { runScript } from './begin.ts'
import { createRhtmxSync } from './rhtmx.ts'
import { rowScript } from './script.ts'
import './index.ts'

runScript({ ...rowScript, names: ['rhtmxSync'] }, createRhtmxSync)
