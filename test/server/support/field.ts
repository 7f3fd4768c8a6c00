// The field spelling by hand: fetch and frames, as anybody would write them.
import { startApp, usersAndPosts } from './app.ts'
import type { App, AppOptions } from './app.ts'
import { isType, post, subscribed } from './wire.ts'
import type { Line, WireFrame } from './wire.ts'

export interface FieldChange {
  readonly entity: string
  readonly id: unknown
  readonly entity_id: string
  readonly field: string | null
  readonly value: unknown
  readonly action: string
  readonly version: number
  readonly timestamp: string
  readonly mutation_id?: string
}

export interface FieldsPulled {
  readonly entity: string
  readonly version: number
  readonly changes: FieldChange[]
  readonly reset?: boolean
  readonly has_more?: boolean
}

export interface FieldsPushed {
  readonly entity: string
  readonly version: number
  readonly applied: number
  readonly conflicts: number
  readonly duplicates: number
  readonly rejected: number
  readonly results: {
    readonly entity_id: string
    readonly field: string | null
    readonly status: string
    readonly version: number
    readonly error?: { readonly code: string }
  }[]
  readonly conflict_details: {
    readonly entity_id: string
    readonly field: string | null
    readonly server_value: unknown
    readonly client_value: unknown
    readonly server_timestamp: string | null
    readonly client_timestamp: string | null
  }[]
}

export const base = '/api/field-sync'

async function json<T>(asked: Promise<Response>): Promise<T> {
  const response = await asked
  const text = await response.text()
  if (response.status !== 200) throw new Error(`${response.status} ${text}`)
  return JSON.parse(text) as T
}

export function pullFields(url: string, entity: string, since?: number): Promise<FieldsPulled> {
  return json(fetch(`${url}${base}/${entity}${since === undefined ? '' : `?since=${since}`}`))
}

export function pushFields(
  url: string,
  entity: string,
  changes: readonly object[],
  more: object = {},
): Promise<FieldsPushed> {
  return json(post(`${url}${base}/${entity}`, { ...more, changes }))
}

export async function latest(
  url: string,
  entity: string,
  id: string | number,
): Promise<{ id: unknown; entity_id: string; version: number; fields: Record<string, unknown[]> }> {
  const asked = fetch(`${url}${base}/${entity}/${encodeURIComponent(id)}/latest`)
  const { fields, ...rest } = await json<{
    id: unknown
    entity_id: string
    version: number
    fields: { field: string; value: unknown; version: number; timestamp: string }[]
  }>(asked)
  const byName = fields.map(({ field, value, version, timestamp }) => [field, [value, version, timestamp]])
  return { ...rest, fields: Object.fromEntries(byName) as Record<string, unknown[]> }
}

export function fieldLine(url: string, entities: readonly string[]): Promise<Line> {
  return subscribed(url, entities, `${base}/ws`)
}

export function fieldsIn(frames: readonly WireFrame[]): FieldChange[] {
  return frames.flatMap(frame =>
    frame.type === 'field_change' ? [frame.change as unknown as FieldChange] : [],
  )
}

export async function nextField(line: Line): Promise<FieldChange> {
  return (await line.next(isType('field_change'))).change as unknown as FieldChange
}

// ---- a row, and what is said of it

/** A row that was there before anybody followed the table. */
export const withAnn = `${usersAndPosts}; INSERT INTO users VALUES (1, 'Ann', 'a@x')`
export const newer = '2099-01-01T00:00:00Z'
export const older = '2020-01-01T00:00:00Z'

/** With field sync, and that row. */
export const start = (options: AppOptions = {}): Promise<App> =>
  startApp({ schema: withAnn, fieldSync: 'last-write-wins', ...options })

/** An entry of a push about it. */
export const field = (name: string, value: unknown, more: object = {}): object => ({
  entity_id: '1',
  field: name,
  value,
  action: 'update',
  ...more,
})

/** A version to ask from: 0 would be the whole table. */
export async function begun({ db, url }: App): Promise<number> {
  db.exec("INSERT INTO comments (body) VALUES ('begun')")
  return (await pullFields(url, 'users')).version
}

/** A field may come twice with the same version, where a row was written to while its pages were read. */
export function distinct(changes: readonly FieldChange[]): FieldChange[] {
  return [
    ...new Map(
      changes.map(change => [`${change.entity_id} ${change.field} ${change.version}`, change]),
    ).values(),
  ]
}
