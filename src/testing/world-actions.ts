// What happens in a world: users write, other programs write, lines break, machines die, clocks step, backups return.
import { idOfValue } from '../core/index.ts'
import type { Json } from '../core/index.ts'
import type { Client } from '../client/index.ts'
import type { Statements } from './contracts/server-store.ts'
import type { Network } from './network.ts'
import type { Random } from './random.ts'
import type { Browser } from './world-browser.ts'
import type { Books } from './world-books.ts'

type Fields = Record<string, Json>

/** How a user of `browser` writes something, by chance. */
export function userWrites(browser: Browser, books: Books, random: Random): void {
  const { client, name } = browser
  const mark = (): string => books.mark(name)
  const kind = random.weighted({
    create: 4,
    update: 9,
    remove: 1.5,
    family: 1.5,
    several: 1,
    poison: 1,
    letters: 0.5,
  })
  switch (kind) {
    case 'create':
      return create(client, random, mark)
    case 'update':
      return update(client, random, mark)
    case 'remove':
      return remove(client, random)
    case 'family':
      return family(client, mark)
    case 'several':
      return several(client, random, mark)
    case 'poison':
      return poison(client, random, mark)
    case 'letters':
      return letters(client, random)
  }
}

function create(client: Client, random: Random, mark: () => string): void {
  switch (random.pick(['lists', 'items', 'docs', 'blends'])) {
    case 'lists':
      return void client.create('lists', { name: mark() })
    case 'items': {
      const list = anyId(client, 'lists', random)
      return void client.create('items', {
        title: mark(),
        amount: random.int(9),
        ...(list === null ? {} : { list_id: asKey(list) }),
      })
    }
    case 'docs':
      // few ids, so that two meet; one in three may also update
      return void client.create(
        'docs',
        { id: `d${random.int(6)}`, title: mark(), body: mark() },
        { upsert: random.chance(0.3) },
      )
    case 'blends':
      return void client.create(
        'blends',
        { id: `b${random.int(3)}`, title: mark() },
        { upsert: random.chance(0.5) },
      )
  }
}

function update(client: Client, random: Random, mark: () => string): void {
  const entity = random.pick(['lists', 'items', 'items', 'docs', 'docs', 'blends'])
  const id = anyId(client, entity, random) ?? (entity === 'docs' ? `d${random.int(6)}` : null)
  if (id === null) return
  client.update(entity, id, patch(entity, random, mark))
}

function patch(entity: string, random: Random, mark: () => string): Fields {
  const names = entity === 'lists' ? ['name', 'note'] : ['title', 'body']
  const chosen = random.chance(0.3) ? names : [random.pick(names)]
  const fields: Fields = Object.fromEntries(chosen.map(column => [column, mark()]))
  if (entity === 'items' && random.chance(0.3)) fields['amount'] = random.int(100)
  return fields
}

function remove(client: Client, random: Random): void {
  const entity = random.pick(['lists', 'items', 'docs', 'blends'])
  const id = anyId(client, entity, random)
  if (id !== null) client.delete(entity, id)
}

/** A parent and its children in one transaction, by temporary ids. */
function family(client: Client, mark: () => string): void {
  client.transaction(tx => {
    const list = tx.create('lists', { name: mark() })
    for (let i = 0; i < 2; i++) tx.create('items', { list_id: list, title: mark() })
  })
}

function several(client: Client, random: Random, mark: () => string): void {
  const ids = [0, 1, 2].map(() => [random.pick(['docs', 'items']), random] as const)
  client.transaction(tx => {
    for (const [entity] of ids) {
      const id = anyId(client, entity, random)
      if (id !== null) tx.update(entity, id, patch(entity, random, mark))
    }
    tx.create('items', { title: mark() })
  })
}

/** A write that the database refuses, and one that builds on it. */
function poison(client: Client, random: Random, mark: () => string): void {
  switch (random.int(3)) {
    case 0:
      return void client.create('items', { title: mark(), amount: -1 })
    case 1: {
      const { id } = client.create('lists', { name: null, note: mark() })
      return void client.create('items', { title: mark(), list_id: id })
    }
    default:
      return void client.create('items', { title: mark(), slug: 'taken' })
  }
}

function letters(client: Client, random: Random): void {
  const dead = client.deadLetters()
  if (dead.length === 0) return
  const { n } = random.pick(dead)
  if (random.chance(0.5)) client.retry(n)
  else client.discard(n)
}

function anyId(client: Client, entity: string, random: Random): string | null {
  const rows = client.getAll(entity)
  const row = rows.length === 0 ? undefined : random.pick(rows)
  return idOfValue(row?.['id'])
}

/** An id as a foreign key: a number once the database has given one. */
function asKey(id: string): Json {
  return /^\d+$/.test(id) ? Number(id) : id
}

// ---- programs that know nothing of us

/** Statements of another program; what breaks a constraint or meets a lock fails, as it may. */
export async function programWrites(
  on: Statements,
  ids: (table: string) => readonly string[],
  books: Books,
  random: Random,
): Promise<void> {
  const mark = (): string => books.mark('sql')
  const table = random.pick(['lists', 'items', 'items', 'docs', 'docs', 'blends'])
  const id = random.pick([...ids(table), 'none'])
  const kind = random.weighted({ insert: 3, update: 6, remove: 1, replace: 1, move: 0.7, nothing: 0.5 })
  switch (kind) {
    case 'insert':
      return on.insert(table, fresh(table, random, mark))
    case 'update':
      return on.update(table, id, patch(table, random, mark))
    case 'remove':
      return on.remove(table, id)
    case 'replace':
      return on.replace('items', {
        id: 500 + random.int(20),
        title: mark(),
        slug: random.pick(['taken', 's1', 's2']),
      })
    case 'move':
      return on.move(
        table,
        id,
        table === 'docs' || table === 'blends' ? `m${mark()}` : String(1000 + random.int(100_000)),
      )
    case 'nothing':
      return on.update(table, id, {})
  }
}

function fresh(table: string, random: Random, mark: () => string): Fields {
  switch (table) {
    case 'lists':
      return { name: mark() }
    case 'items':
      return { title: mark(), slug: random.chance(0.2) ? random.pick(['taken', 's1', 's2']) : null }
    case 'docs':
      return { id: `d${random.int(6)}`, title: mark() }
    default:
      return { id: `b${random.int(3)}`, title: mark() }
  }
}

// ---- the network

export function breakLine({ lines, random, time }: Network): void {
  if (lines.size === 0) return
  const line = random.pick([...lines])
  switch (random.pick(['cut', 'freeze', 'halfOpen'])) {
    case 'cut':
      return line.cut()
    case 'halfOpen':
      return line.halfOpen()
    case 'freeze':
      line.freeze()
      time.after(random.between(500, 60_000), () => line.thaw())
  }
}
