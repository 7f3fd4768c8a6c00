// Every statement finds its rows by a key, whatever type the key has. (An affinity on one side of `=` silently turns an
// index off: a table of 100,000 rows is then scanned once per row.)
import { expect, test } from 'vitest'
import { describe } from './describe.ts'
import { Connection } from './driver.ts'
import { makeEntity } from './entity.ts'
import { installTables } from './schema.ts'
import { drivers, entity, openHandle } from './testkit.test.ts'

const keys = {
  rowid: 'id INTEGER PRIMARY KEY',
  integer: 'id INT PRIMARY KEY NOT NULL',
  text: 'id TEXT PRIMARY KEY NOT NULL',
  nocase: 'id TEXT COLLATE NOCASE PRIMARY KEY NOT NULL',
  numeric: 'id UUID PRIMARY KEY NOT NULL',
  composite: 'a TEXT NOT NULL, b INT NOT NULL, PRIMARY KEY(a, b)',
}

const cases = drivers.flatMap(driver =>
  Object.keys(keys).map(key => ({ driver, key: key as keyof typeof keys })),
)

test.each(cases)('[L4] statements about a table with a key of kind $key seek: $driver', ({ driver, key }) => {
  const app = openHandle(driver, ':memory:')
  const db = new Connection(app)
  app.exec(`CREATE TABLE t(v, ${keys[key]})`)
  installTables(db, () => 'epoch', 0)
  const { sql, table } = makeEntity(entity('t'), describe(db, entity('t')), { ent: 1, generation: 0 })
  const { lookup, changed, page, saveLine, dropLine, saveGone, dropGone, whereKey } = sql
  const statements = [
    lookup.none,
    lookup.values,
    changed.object,
    page({ form: 'values', first: false, where: [] }),
    page({ form: 'place', first: false, where: [] }),
    saveLine,
    dropLine,
    saveGone,
    dropGone,
    `DELETE FROM ${table.name} WHERE ${whereKey}`,
  ]
  for (const statement of statements) {
    const params = (statement.match(/\?/g) ?? []).map(() => '1')
    const plan = app
      .prepare(`EXPLAIN QUERY PLAN ${statement}`)
      .all(...params)
      .map(row => row['detail'] as string)
      .filter(detail => !detail.startsWith('SCAN k'))
    expect(
      plan.filter(detail => detail.startsWith('SCAN')),
      statement,
    ).toEqual([])
    for (const detail of plan.filter(line => /^SEARCH (r|g|_syncline_rows|_syncline_gone) /.test(line))) {
      expect(detail, statement).toMatch(/\(ent=\? AND (id=\?|seq>\? AND seq<\?)\)/)
    }
  }
  app.close()
})
