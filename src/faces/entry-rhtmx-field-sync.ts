// The script behind `<script src="/api/sync/field-client.js" data-sync-entities="...">`: the same as `entry-rhtmx-sync`
// with the face of fields.
import { runScript } from './begin.ts'
import { createRhtmxFieldSync } from './rhtmx-field.ts'
import { fieldScript } from './script.ts'
import './index.ts'

runScript(
  { ...fieldScript, names: ['RHTMXFieldSync', 'rhtmxFieldSync'] },
  (options, page, { dataset: { conflicts } }) =>
    createRhtmxFieldSync({ ...options, conflicts: String(conflicts) !== 'false' }, page),
)
