import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { cleanUp, folder, later, openDatabase, rowsOf } from './support/app.ts'
import type { Handle } from './support/app.ts'
import { addressOf, runCli, writeElsewhere } from './support/process.ts'
import { pull, push, subscribed } from './support/wire.ts'

afterEach(cleanUp)

/** What a grown application's schema looks like, with everything in it that makes capture hard. */
const nasty = `
  PRAGMA journal_mode = WAL;
  CREATE TABLE accounts (id TEXT PRIMARY KEY NOT NULL, email TEXT NOT NULL UNIQUE COLLATE NOCASE, avatar BLOB, settings JSON, balance NUMERIC DEFAULT 0);
  CREATE TABLE projects (id INTEGER PRIMARY KEY AUTOINCREMENT, owner TEXT NOT NULL REFERENCES accounts(id) ON DELETE CASCADE ON UPDATE CASCADE, name TEXT NOT NULL,
    slug TEXT GENERATED ALWAYS AS (lower(replace(name, ' ', '-'))) STORED, size INTEGER GENERATED ALWAYS AS (length(name)) VIRTUAL);
  CREATE TABLE members (project_id INTEGER NOT NULL REFERENCES projects(id) ON DELETE CASCADE, account_id TEXT NOT NULL REFERENCES accounts(id) ON DELETE CASCADE ON UPDATE CASCADE,
    role TEXT DEFAULT 'reader', PRIMARY KEY (project_id, account_id)) WITHOUT ROWID;
  CREATE TABLE happenings (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, kind TEXT NOT NULL, payload ANY) STRICT;
  CREATE TABLE audit (entry TEXT);
  CREATE TABLE events (id INTEGER PRIMARY KEY, name TEXT);
  CREATE TABLE "odd name" (id INTEGER PRIMARY KEY, "select" TEXT);
  CREATE VIEW owners AS SELECT a.email, p.name FROM accounts a JOIN projects p ON p.owner = a.id;
  CREATE UNIQUE INDEX one_live_name ON projects(owner, lower(name)) WHERE name <> '';
  CREATE INDEX events_by_kind ON happenings(kind);
  CREATE TRIGGER audit_projects AFTER UPDATE ON projects BEGIN INSERT INTO audit VALUES ('p' || NEW.id || ':' || OLD.name || '>' || NEW.name); END;
  CREATE TRIGGER renamed AFTER UPDATE OF name ON projects WHEN NEW.name LIKE '%!' BEGIN UPDATE projects SET name = rtrim(NEW.name, '!') WHERE id = NEW.id; END;
  INSERT INTO accounts VALUES ('ann', 'Ann@x.org', x'00ff10', '{"theme":"dark","n":[1,2]}', 12.5), ('bob', 'bob@x.org', NULL, 'not json', '7');
  INSERT INTO projects (owner, name) VALUES ('ann', 'First Project'), ('ann', 'Second'), ('bob', 'Third');
  INSERT INTO members VALUES (1, 'ann', 'owner'), (1, 'bob', 'reader'), (2, 'ann', 'owner');
  INSERT INTO happenings VALUES (1, 9007199254740993, 'start', x'01'), (2, 5, 'note', 'a' || char(0) || 'b'), (3, 6, 'number', 0.1);
`

const entities = 'accounts,projects,members,happenings'

/** The application's own writes: cascades, replaces, generated columns, key changes. */
const writes = `
  PRAGMA foreign_keys = ON;
  UPDATE accounts SET email = 'ANN@x.org' WHERE id = 'ann';
  UPDATE projects SET name = 'Renamed!' WHERE id = 2;
  INSERT OR REPLACE INTO projects (id, owner, name) VALUES (9, 'ann', 'FIRST project');
  INSERT INTO happenings VALUES (4, 7, 'more', NULL);
  UPDATE members SET role = 'writer';
  DELETE FROM accounts WHERE id = 'bob';
  UPDATE accounts SET id = 'anna' WHERE id = 'ann';
  INSERT INTO accounts VALUES ('x''y', 'q@x', x'', '[]', 0);
`

/** Like the shell's .dump: the schema and every row with \`quote()\`. */
function dump(db: Handle): string {
  const lines: string[] = []
  for (const { type, name, sql } of rowsOf(
    db,
    'SELECT type, name, sql FROM sqlite_master ORDER BY type, name',
  )) {
    lines.push(`${String(type)} ${String(name)} ${String(sql)}`)
    if (type !== 'table') continue
    const columns = rowsOf(
      db,
      `SELECT name FROM pragma_table_xinfo('${String(name).replaceAll("'", "''")}')`,
    ).map(row => `quote("${String(row['name'])}")`)
    lines.push(
      ...rowsOf(db, `SELECT ${columns.join("||','||")} AS line FROM "${String(name)}" ORDER BY 1`).map(row =>
        String(row['line']),
      ),
    )
  }
  return lines.join('\n')
}

function nastyFile(): string {
  const file = path.join(folder(), 'app.db')
  const db = openDatabase(file)
  db.exec(nasty)
  db.close()
  return file
}

test('[C1, C10] a nasty schema: attach, write from another process, read, uninstall; the dump is what its own writes made it', async () => {
  const file = nastyFile()
  const control = nastyFile()
  const running = runCli(['serve', file, '--entities', entities, '--port', '0'])
  const url = await addressOf(running)
  expect(running.output()).toBe(`listening on ${url}\n`)
  expect(running.errors()).toContain('WARNING')
  const line = await subscribed(url, entities.split(','))
  expect((await pull(url, 'members')).changes.map(change => change.entity_id)).toEqual([
    '[1,"ann"]',
    '[1,"bob"]',
    '[2,"ann"]',
  ])
  expect((await pull(url, 'happenings')).changes[0]?.data).toEqual({
    id: 1,
    at: '9007199254740993',
    kind: 'start',
    payload: { $blob: 'AQ==' },
  })

  await writeElsewhere(file, writes)
  await writeElsewhere(control, writes)
  await line.next(frame => frame.change?.entity_id === "x'y", 'the last write')
  const replica = new Map<string, unknown>()
  for (const entity of entities.split(','))
    for (const change of (await pull(url, entity)).changes)
      replica.set(`${entity} ${change.entity_id}`, change.data)
  expect([...replica.keys()].sort()).toEqual([
    'accounts anna',
    "accounts x'y",
    'happenings 1',
    'happenings 2',
    'happenings 3',
    'happenings 4',
    'members [2,"anna"]',
    'projects 2',
    'projects 9',
  ])
  expect(replica.get('projects 9')).toMatchObject({
    owner: 'anna',
    name: 'FIRST project',
    slug: 'first-project',
    size: 13,
  })
  expect(replica.get('projects 2')).toMatchObject({ name: 'Renamed' })
  // who only listened has the same: evictions, cascades and moved keys came as deletes
  const heard = new Map<string, unknown>([
    ['happenings 1', 1],
    ['happenings 2', 1],
    ['happenings 3', 1],
  ])
  for (const change of line.changes()) {
    const key = `${change.entity} ${change.entity_id}`
    if (change.data === null) heard.delete(key)
    else heard.set(key, change.data)
  }
  expect([...heard.keys()].sort()).toEqual([...replica.keys()].sort())

  const refused = runCli(['uninstall', file])
  expect(await refused.ended).toBe(1)
  expect(refused.errors()).toMatch(/^ENGINE_ATTACHED: .*\n$/)
  running.child.kill('SIGTERM')
  expect(await running.ended).toBe(0)
  const removed = runCli(['uninstall', file])
  expect(await removed.ended).toBe(0)
  expect(dump(openDatabase(file))).toBe(dump(openDatabase(control)))
})

describe('syncline', () => {
  const run = async (...args: string[]): Promise<{ code: number | null; output: string; errors: string }> => {
    const running = runCli(args)
    return { code: await running.ended, output: running.output(), errors: running.errors() }
  }

  test('serves every table that can be, and says what it left out and why', async () => {
    const running = runCli(['serve', nastyFile(), '--port', '0'])
    const url = await addressOf(running)
    const health = (await (await fetch(`${url}/api/sync/health`)).json()) as { entities: string[] }
    expect(health.entities).toEqual(['accounts', 'happenings', 'members', 'projects'])
    expect(running.errors()).toMatch(/left out audit: NO_PRIMARY_KEY/)
    expect(running.errors()).toMatch(/left out owners: UNKNOWN_TABLE: .*view/)
    expect(running.errors()).toMatch(/left out odd name: INVALID_CONFIG/)
    expect(running.errors()).toMatch(/left out events: RESERVED_NAME/)
    expect(
      (await push(url, 'projects', [{ id: 1, action: 'update', data: { name: 'Over HTTP' } }]))[0]?.status,
    ).toBe('applied')
    expect((await fetch(`${url}/`)).status).toBe(404)
    running.child.kill('SIGINT')
    expect(await running.ended).toBe(0)
  })

  test('a table under another name', async () => {
    const running = runCli(['serve', nastyFile(), '--port', '0', '--entities', 'accounts, diary=events'])
    const url = await addressOf(running)
    await push(url, 'diary', [{ id: 1, action: 'create', data: { name: 'x' } }])
    expect((await pull(url, 'diary')).changes).toMatchObject([{ entity: 'diary', data: { name: 'x' } }])
  })

  test('status, cleanup', async () => {
    const file = nastyFile()
    expect((await run('status', file)).output).toContain('not installed')
    const running = runCli(['serve', file, '--entities', 'happenings', '--port', '0'])
    await addressOf(running)
    await writeElsewhere(
      file,
      "INSERT INTO happenings VALUES (9, 1, 'x', NULL); UPDATE happenings SET kind = 'y'; UPDATE happenings SET kind = 'z'",
    )
    const status = await run('status', file)
    expect(status.output).toMatch(/tables +happenings\n/)
    expect(status.output).toMatch(/head +9\n/)
    expect(status.output).toMatch(/engine +attached/)
    running.child.kill('SIGTERM')
    await running.ended
    const cleaned = await run('cleanup', file, '--days', '0')
    expect(cleaned.output).toMatch(/^forgot \d+ entries older than 0 days\n$/)
    expect((await run('status', file)).output).toMatch(/engine +none attached/)
  })

  test.each([
    [[], 2, 'name a command'],
    [['serve'], 2, 'name the database file'],
    [['serve', 'x.db', '--port', 'many'], 2, '--port'],
    [['serve', '/nowhere/x.db'], 1, 'DATABASE_FAILED: '],
    [['status', '/nowhere/x.db'], 1, 'DATABASE_FAILED: '],
  ])('%j ends with %i', async (args, code, message) => {
    const ended = await run(...args)
    expect(ended.code).toBe(code)
    expect(ended.errors).toContain(message)
    expect(existsSync('/nowhere/x.db')).toBe(false)
  })

  test('an unknown table, a file that is no database: one line with the code', async () => {
    const unknown = await run('serve', nastyFile(), '--entities', 'ghosts', '--port', '0')
    expect(unknown).toMatchObject({ code: 1 })
    expect(unknown.errors).toMatch(/^UNKNOWN_TABLE: .*ghosts.*\n$/)
    const text = path.resolve(import.meta.dirname, 'cli.test.ts')
    expect((await run('status', text)).errors).toMatch(/^\w+: .*\n$/)
  })

  test('[C11] a database that somebody else writes to is waited for, and given up in words', async () => {
    const file = nastyFile()
    const other = openDatabase(file)
    later(() => other.close())
    other.exec('BEGIN IMMEDIATE')
    const ended = await run('serve', file, '--entities', 'happenings', '--port', '0')
    expect(ended.code).toBe(1)
    expect(ended.errors).toMatch(/^DATABASE_BUSY: .*\n$/)
  })

  test('in production it listens on this machine only, unless told otherwise', async () => {
    const refused = runCli(
      ['serve', nastyFile(), '--port', '0', '--host', '0.0.0.0', '--entities', 'happenings'],
      { NODE_ENV: 'production' },
    )
    expect(await refused.ended).toBe(1)
    expect(refused.errors()).toMatch(/INVALID_CONFIG: .*access/)
    const meant = runCli(
      [
        'serve',
        nastyFile(),
        '--port',
        '0',
        '--host',
        '0.0.0.0',
        '--entities',
        'happenings',
        '--access',
        'public',
      ],
      { NODE_ENV: 'production' },
    )
    await addressOf(meant)
  })

  test('--help and --version', async () => {
    expect((await run('--help')).output).toContain('syncline serve <file>')
    const { version } = JSON.parse(
      readFileSync(path.resolve(import.meta.dirname, '../../package.json'), 'utf8'),
    ) as { version: string }
    expect((await run('--version')).output).toBe(`${version}\n`)
  })
})
