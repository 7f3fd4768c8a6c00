// The texts of a form's fields as values of a column. Pure.
import type { Encodable } from '../client/index.ts'
import type { EntityShape } from '../core/index.ts'

type Kind = EntityShape['columns'][number][1]

/**
 * Undefined: the form says nothing about the column. `values` are those of all fields of its name, the last of which
 * counts, as where a hidden field stands before a checkbox. `boxes`: so many checkboxes have the name; unticked ones are
 * not sent. Throws where a value cannot wait on this device.
 */
export function columnValue(
  kind: Kind,
  values: readonly (string | File)[],
  boxes: number,
): Encodable | undefined {
  const texts = values.filter(value => typeof value === 'string')
  // an empty file field is sent too
  if (values.some(value => typeof value !== 'string' && value.size > 0)) throw new Error('files cannot wait')
  const last = texts.at(-1)
  if (kind === 'json' && (texts.length > 1 || boxes > 1)) return texts
  if (last !== undefined) return ofKind(kind, last)
  return boxes > 0 ? ofKind(kind, kind === 'integer' || kind === 'boolean' ? 'off' : '') : undefined
}

const truth: { readonly [word: string]: boolean } = {
  on: true,
  true: true,
  1: true,
  off: false,
  false: false,
  0: false,
}

function ofKind(kind: Kind, text: string): Encodable {
  const trimmed = text.trim()
  switch (kind) {
    case 'boolean':
      return trimmed === '' ? null : (truth[trimmed] ?? text)
    case 'integer':
      if (trimmed !== '' && trimmed in truth && Number.isNaN(Number(trimmed))) return truth[trimmed] ? 1 : 0
      return number(trimmed, text)
    case 'real':
      return number(trimmed, text)
    case 'json':
      return json(trimmed, text)
    case 'text':
    case 'blob':
    case 'any':
      return text
  }
}

/** What is no number the server shall refuse, in the user's own words; integers too large to be exact stay text. */
function number(trimmed: string, text: string): Encodable {
  if (trimmed === '') return null
  const value = Number(trimmed)
  return Number.isFinite(value) && Math.abs(value) <= Number.MAX_SAFE_INTEGER ? value : text
}

function json(trimmed: string, text: string): Encodable {
  if (trimmed === '') return null
  try {
    return JSON.parse(trimmed) as Encodable // reason: what JSON.parse gives can be encoded again
  } catch {
    return text
  }
}
