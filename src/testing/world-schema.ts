// The tables of the seeded world, for the memory database and in SQL, and its entities: every strategy, both grains, a
// parent and its children, constraints to break, a side effect, a resolver. Texts that anybody writes are marks, each
// written once in a world's life, so that every value on any screen says whose it is and when it was written.
import { defineEntity } from '../core/index.ts'
import type { EntityDefinition, FieldMergeStrategy, Row } from '../core/index.ts'
import type { TableSpec } from './memory-table.ts'
import type { Random } from './random.ts'

const narrowTables: readonly TableSpec[] = [
  {
    name: 'lists',
    key: ['id'],
    columns: { id: { kind: 'integer' }, name: { kind: 'text', notNull: true }, note: { kind: 'text' } },
  },
  {
    name: 'items',
    key: ['id'],
    columns: {
      id: { kind: 'integer' },
      list_id: { kind: 'integer' },
      title: { kind: 'text', notNull: true },
      body: { kind: 'text' },
      amount: { kind: 'integer' },
      slug: { kind: 'text' },
      revision: { kind: 'integer', notNull: true, default: 0 },
    },
    unique: [['slug']],
    references: [{ column: 'list_id', table: 'lists', onDelete: 'cascade' }],
    check: row => row['amount'] === null || Number(row['amount']) >= 0,
    trigger: (row, old) =>
      old === null || row['title'] === old['title'] ? row : { ...row, revision: Number(old['revision']) + 1 },
  },
  {
    name: 'docs',
    key: ['id'],
    columns: { id: { kind: 'text', notNull: true }, title: { kind: 'text' }, body: { kind: 'text' } },
  },
  {
    name: 'blends',
    key: ['id'],
    columns: { id: { kind: 'text', notNull: true }, title: { kind: 'text' }, body: { kind: 'text' } },
  },
]

/** Of some tables, in a world of wide rows: a text beside which a change of the others is little. */
const wideTables: ReadonlySet<string> = new Set(['items', 'docs'])
const filling = `wide, "quoted" and [bracketed], {braced: 1}, \\ and \u2028 \u{1F600}, `.repeat(4)

export function worldTables(wide: boolean): readonly TableSpec[] {
  if (!wide) return narrowTables
  return narrowTables.map(spec =>
    wideTables.has(spec.name)
      ? { ...spec, columns: { ...spec.columns, filling: { kind: 'text', default: filling } } }
      : spec,
  )
}

/** Columns that hold marks, by table. */
export const markColumns: Readonly<Record<string, readonly string[]>> = {
  lists: ['name', 'note'],
  items: ['title', 'body'],
  docs: ['title', 'body'],
  blends: ['title', 'body'],
}

export const worldNames: readonly string[] = narrowTables.map(spec => spec.name)

export function worldDdl(wide: boolean): readonly string[] {
  const widening = Array.from(
    wideTables,
    table => `ALTER TABLE ${table} ADD COLUMN filling TEXT DEFAULT '${filling}'`,
  )
  return wide ? [...narrowDdl, ...widening] : narrowDdl
}

const narrowDdl: readonly string[] = [
  'CREATE TABLE lists (id INTEGER PRIMARY KEY, name TEXT NOT NULL, note TEXT)',
  `CREATE TABLE items (id INTEGER PRIMARY KEY, list_id INTEGER REFERENCES lists(id) ON DELETE CASCADE, title TEXT NOT NULL,
     body TEXT, amount INTEGER CHECK (amount >= 0), slug TEXT UNIQUE, revision INTEGER NOT NULL DEFAULT 0)`,
  `CREATE TRIGGER items_revision AFTER UPDATE OF title ON items WHEN OLD.title IS NOT NEW.title
     BEGIN UPDATE items SET revision = OLD.revision + 1 WHERE id = NEW.id; END`,
  'CREATE TABLE docs (id TEXT PRIMARY KEY NOT NULL, title TEXT, body TEXT)',
  'CREATE TABLE blends (id TEXT PRIMARY KEY NOT NULL, title TEXT, body TEXT)',
  'CREATE TABLE history (value TEXT)',
  ...Object.entries(markColumns).flatMap(([table, columns]) =>
    columns.flatMap(column => [
      `CREATE TRIGGER ${table}_${column}_made AFTER INSERT ON ${table} WHEN NEW.${column} IS NOT NULL
         BEGIN INSERT INTO history VALUES ('${table} ' || NEW.${column}); END`,
      `CREATE TRIGGER ${table}_${column}_set AFTER UPDATE OF ${column} ON ${table} WHEN NEW.${column} IS NOT NULL AND NEW.${column} IS NOT OLD.${column}
         BEGIN INSERT INTO history VALUES ('${table} ' || NEW.${column}); END`,
    ]),
  ),
]

/** The entities of a world: what is fixed covers the common cases, the rest is drawn. */
export function worldEntities(random: Random): EntityDefinition[] {
  const strategy = random.pick<FieldMergeStrategy>([
    'server-wins',
    'client-wins',
    'keep-both',
    'last-write-wins',
  ])
  return [
    defineEntity({ name: 'lists' }),
    defineEntity({ name: 'items', grain: 'field' }),
    defineEntity({ name: 'docs', strategy, grain: random.pick(['entity', 'field']) }),
    defineEntity({
      name: 'blends',
      grain: random.pick(['entity', 'field']),
      resolver: (server, client) => blend(server, client),
    }),
  ]
}

/** Both texts, as a set of marks: the order in which they meet does not matter. */
export function blend(server: Row, client: Row): Row {
  const merged: Record<string, Row[string]> = { ...server }
  for (const column of ['title', 'body']) {
    const marks = new Set([...marksOf(server[column]), ...marksOf(client[column])])
    merged[column] = marks.size === 0 ? null : [...marks].sort().join('|')
  }
  return merged
}

/** The marks in a text; none in anything else. */
export function marksOf(value: unknown): string[] {
  return typeof value === 'string' ? value.split('|') : []
}
