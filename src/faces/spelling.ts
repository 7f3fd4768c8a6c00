// How a page of fields says to the other tabs what they are told anyway: `field_change` for `change`, `optimistic_field` for
// `optimistic` (rule T7). Neighbour: `crew`, which posts it, and hears both.
import type { ChangedField, ChangedRow, Engine, Home, TabMessage } from '../client/index.ts'
import { cut } from '../core/index.ts'
import type { Row } from '../core/index.ts'

export const fieldSpelling: Pick<Home, 'spelled'> = {
  spelled({ replica: { state } }, message): TabMessage {
    if (message.type === 'change') {
      const { change, frame } = message
      return { type: 'field_change', change: change && byField(state, change), frame }
    }
    if (message.type !== 'optimistic') return message
    const { type: _, data: __, ...rest } = message
    const [field, value] = lastOf(message.records[0]?.mutation.writes[0]?.data ?? {})
    return { type: 'optimistic_field', field, value, ...rest }
  },
}

function byField(
  { was = {}, entities }: Engine['replica']['state'],
  { data: _, ...rest }: ChangedRow,
): ChangedField {
  const fields = cut(was, entities.get(rest.entity)?.rows.get(rest.id)?.row ?? {}) ?? {}
  const [field, value] = lastOf(fields)
  return { ...rest, field, value, fields }
}

function lastOf(fields: Row): readonly [string | null, Row[string] | null] {
  return Object.entries(fields).at(-1) ?? [null, null]
}
