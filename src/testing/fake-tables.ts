// The tables and the log of the server double, as a client asks for them.
import type { EntityShape, Filter, Json, Row, WireRow } from '../core/index.ts'
import { idOfRow, matcher, scoped } from '../core/index.ts'

export interface Table {
  shape: EntityShape
  readonly rows: Map<string, Held>
}

export interface Held {
  readonly seq: number
  readonly row: Row
}

export function textShape(columns: readonly string[], options: Partial<EntityShape> = {}): EntityShape {
  return {
    columns: columns.map(name => [name, 'text'] as const),
    key: ['id'],
    hash: columns.join(),
    strategy: 'last-write-wins',
    ...options,
  }
}

/** The rows that a client wants of it. */
export function wanted({ rows }: Table, where: Row = {}): Map<string, Held> {
  const matches = matcher(where as Filter<Row>) // reason: it came as one
  return new Map([...rows].filter(([, { row }]) => matches(row)))
}

export function shapeFor({ shape }: Table, where: Row | undefined): EntityShape {
  return where === undefined ? shape : { ...shape, hash: scoped(shape.hash, JSON.stringify(where)) }
}

export function wire(shape: EntityShape, { seq, row }: { seq: number; row: Row }): WireRow {
  if (idOfRow(row, shape.key) === null) throw new Error('a row without a key')
  return [seq, ...shape.columns.map(([name]): Json => row[name] ?? null)]
}

export interface Entry {
  readonly seq: number
  readonly entity: string
  readonly id: string
  readonly temporary?: string
}

let branch = 0
const branches = new Map<string, number>()

export function checkOf(epoch: string, seq: number): number {
  return seq > (branches.get(epoch) ?? Infinity) ? seq * 31 + branch : seq * 31
}

/** From here on the log is another one. */
export function branchOff(epoch: string, seq: number): void {
  branch += 1
  branches.set(epoch, seq)
}
