// `data-rhtmx-form="todos"`: what a marked element was about to send becomes a queued write with the same fields. In the
// second script. Neighbours on the line: `submit` before it, the client behind it.
import type { Encodable, WriteHandle } from '../client/index.ts'
import { columnValue } from './fields.ts'
import type { Lent } from './lazy.ts'

/** What `rhtmx:form:queued` tells. Prevented, it leaves the form as it is. */
export interface QueuedDetail {
  readonly entity: string
  readonly id: string
  readonly action: 'create' | 'update' | 'delete'
  readonly data: { readonly [column: string]: Encodable }
}

/** What `rhtmx:form:failed` tells: the form is as it was. */
export interface FormFailedDetail {
  readonly entity: string
  readonly error: unknown
}

/** A field as htmx or the browser was about to send it. */
type Field = readonly [name: string, value: string | File]

interface Request {
  readonly verb: string
  readonly fields: readonly Field[]
}

/** As much of the events of htmx 1 and 2 (`requestConfig`) and 4 (`ctx`) as is looked at. */
interface Detail {
  readonly requestConfig?: {
    readonly verb: string
    readonly parameters: { readonly [name: string]: unknown }
    readonly formData?: FormData
  }
  readonly ctx?: {
    readonly request: {
      readonly method: string
      readonly action: string
      readonly body: FormData | URLSearchParams | null
    }
  }
}

export function queueForm(lent: Lent, event: Event): void {
  const form = event.target as HTMLElement // reason: these events happen to elements
  const entity = form.dataset['rhtmxForm'] ?? ''
  const failed = (error: unknown): void => {
    lent.complain('the form was not kept', error)
    tell(form, 'failed', { entity, error })
  }
  try {
    const { handle, action, row } = write(lent, entity, form, requestOf(event, form))
    handle.persisted.catch(failed)
    const kept = tell(form, 'queued', { entity, id: handle.id, action, data: row })
    // an edited row stays in its form, a new one leaves room for the next
    if (kept && action === 'create' && form instanceof HTMLFormElement) form.reset()
  } catch (error) {
    failed(error)
  }
}

function tell(form: HTMLElement, type: string, detail: QueuedDetail | FormFailedDetail): boolean {
  const event = new CustomEvent(`rhtmx:form:${type}`, {
    detail,
    bubbles: true,
    composed: true,
    cancelable: true,
  })
  return form.dispatchEvent(event)
}

function requestOf(event: Event, form: HTMLElement): Request {
  // reason: htmx's own events; a plain submission has neither
  const { requestConfig, ctx } = ((event as CustomEvent<unknown>).detail ?? {}) as Detail
  if (ctx !== undefined) {
    const { method, action, body } = ctx.request
    return { verb: method, fields: [...(body ?? new URL(action, form.baseURI).searchParams)] }
  }
  if (requestConfig !== undefined) {
    const { verb, parameters, formData } = requestConfig
    const fields = Object.entries(parameters).flatMap(([name, value]) =>
      (Array.isArray(value) ? value : [value]).map((one: unknown): Field => [
        name,
        one instanceof File ? one : String(one),
      ]),
    )
    return { verb, fields: formData === undefined ? fields : [...formData] }
  }
  const { submitter } = event as SubmitEvent // reason: neither of htmx's
  const data = new FormData(form as HTMLFormElement, submitter) // reason: only forms are submitted
  return {
    verb: submitter?.getAttribute('formmethod') ?? form.getAttribute('method') ?? 'GET',
    fields: [...data],
  }
}

function write(
  { client }: Lent,
  entity: string,
  form: HTMLElement,
  { verb, fields }: Request,
): { handle: WriteHandle; action: QueuedDetail['action']; row: Record<string, Encodable> } {
  const shape = client.shape(entity)
  const columns = shape?.columns ?? fields.map(([name]) => [name, 'any'] as const)
  const row: Record<string, Encodable> = {}
  for (const [column, kind] of columns) {
    const value = columnValue(
      kind,
      fields.flatMap(([name, one]) => (name === column ? [one] : [])),
      boxes(form, column),
    )
    if (value !== undefined) row[column] = value
  }
  const id = idOf(form, shape?.key ?? ['id'], fields)
  const action = actionOf(verb, id !== null && client.get(entity, id) !== undefined)
  if (action === 'create') return { handle: client.create(entity, row), action, row }
  if (id === null) throw new Error(`data-rhtmx-id or a field must name the row to ${action}`)
  for (const column of shape?.key ?? ['id']) delete row[column]
  const handle = action === 'delete' ? client.delete(entity, id) : client.update(entity, id, row)
  return { handle, action, row }
}

/** Of what is sent with `element`: a control may be marked itself, and brings the form that it is in. */
function boxes(element: HTMLElement, name: string): number {
  const selector = `[type=checkbox][name="${CSS.escape(name)}"]:enabled`
  const { form } = element as HTMLInputElement // reason: controls have one; of a form it is a control of that name
  const root = form instanceof HTMLFormElement ? form : element
  return root.querySelectorAll(selector).length + Number(root.matches(selector))
}

function idOf(form: HTMLElement, key: readonly string[], fields: readonly Field[]): string | string[] | null {
  const said = form.dataset['rhtmxId']
  if (said !== undefined && said !== '') return said
  const values = key.flatMap(column => {
    const value = fields.findLast(([name]) => name === column)?.[1]
    return typeof value === 'string' && value !== '' ? [value] : []
  })
  if (values.length < key.length) return null
  return values.length > 1 ? values : (values[0] ?? null)
}

function actionOf(verb: string, known: boolean): QueuedDetail['action'] {
  switch (verb.toUpperCase()) {
    case 'POST':
      return known ? 'update' : 'create'
    case 'PUT':
    case 'PATCH':
      return 'update'
    case 'DELETE':
      return 'delete'
    default:
      throw new Error(`${verb} writes nothing`)
  }
}
