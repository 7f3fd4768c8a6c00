// How a page of fields says to the other tabs what they are told anyway: `field_change` for `change`, `optimistic_field` for
// `optimistic` (rule T7). Neighbours: `crew`, which posts it; it hears both.
import { rowReader } from '../client/index.ts'
import type { ChangedField, ChangedRow, Engine, TabMessage } from '../client/index.ts'
import { sameJson } from '../core/index.ts'
import type { Row } from '../core/index.ts'
import type { Spelling } from './page.ts'

/** Of one client. */
export function fieldSpelling(): Spelling {
  /** The rows of the frame at hand as the server had them before. */
  let before = new Map<string, Row | undefined>()
  const rowOf = ({ replica }: Engine, entity: string, id: string): Row | undefined =>
    replica.state.entities.get(entity)?.rows.get(id)?.row
  return {
    hears(engine, message) {
      // nobody is told of anything else as a change
      if (!engine.crew.others || message.type !== 'batch' || message.from === null) return
      before = new Map()
      for (const { entity, rows } of message.sets)
        for (const { id } of rowReader(engine.replica.state.entities.get(entity)?.shape ?? null)(rows))
          before.set(`${entity} ${id}`, rowOf(engine, entity, id))
    },
    spelled(engine, message): TabMessage {
      if (message.type === 'change') {
        const { change, frame } = message
        const { entity = '', id = '' } = change ?? {}
        const fields = difference(before.get(`${entity} ${id}`), rowOf(engine, entity, id))
        return { type: 'field_change', change: change && byField(change, fields), frame }
      }
      if (message.type !== 'optimistic') return message
      const { type: _, data: __, ...rest } = message
      const [field, value] = lastOf(message.records[0]?.mutation.writes[0]?.data ?? {})
      return { type: 'optimistic_field', field, value, ...rest }
    },
  }
}

function byField({ data: _, ...rest }: ChangedRow, fields: Row): ChangedField {
  const [field, value] = lastOf(fields)
  return { ...rest, field, value, fields }
}

function difference(before: Row = {}, after: Row = {}): Row {
  return Object.fromEntries(
    Object.entries(after).filter(([column, value]) => !sameJson(before[column], value)),
  )
}

function lastOf(fields: Row): readonly [string | null, Row[string] | null] {
  return Object.entries(fields).at(-1) ?? [null, null]
}
