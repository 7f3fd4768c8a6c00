// The inbox of a client: what the server refused outright, in one tab and among several.
import { describe, expect, test, vi } from 'vitest'
import { conflictsName } from '../core/index.ts'
import type { ErrorBody } from '../core/index.ts'
import { crew, server } from './crew-rig.test.ts'
import type { Tab } from './crew-rig.test.ts'
import type { Conflict } from './index.ts'
import { textShape } from '../testing/fake-tables.ts'

const error: ErrorBody = { code: 'FORBIDDEN', message: 'no' }

/** Whatever somebody writes is refused, until the result is called. */
function refusing(): () => void {
  server.judge = () => ({ error })
  return () => void (server.judge = () => null)
}

const letters = ({ client }: Tab): Conflict[] => [...client.conflicts.list()]
const numberOf = (all: readonly Tab[]): number[] => all.map(({ client }) => client.deadLetters().length)

async function refused(page: Tab): Promise<void> {
  const allowed = refusing()
  await expect(page.client.update('todos', 'a', { title: 'bad' }).confirmed).rejects.toMatchObject(error)
  allowed()
}

describe('[I2] [Q5] another value in the place of one that was refused', () => {
  test('which cannot be stored: nothing is lost', async () => {
    server.put('todos', 'a', { id: 'a', title: 'first' })
    const [page] = (await crew(1)) as [Tab]
    await refused(page)
    const [letter] = letters(page)
    // @ts-expect-error a function is no value of a column
    expect(() => letter?.resolve(() => {})).toThrow(expect.objectContaining({ code: 'SERIALIZATION_ERROR' }))
    expect([letters(page), page.client.pending()]).toEqual([[letter], []])
    await letter?.resolve('good').confirmed
    expect([page.client.get('todos', 'a'), letters(page)]).toEqual([{ id: 'a', title: 'good' }, []])
    expect(() => letter?.resolve('late')).toThrow(expect.objectContaining({ code: 'NOT_FOUND' }))
  })

  test('in a transaction: what points to each other under temporary ids still does', async () => {
    const [page] = (await crew(1)) as [Tab]
    const allowed = refusing()
    const { confirmed } = page.client.transaction(tx => {
      const parent = tx.create('todos', { title: 'bad' })
      tx.create('todos', { title: 'child', parent })
    })
    await expect(confirmed).rejects.toMatchObject(error)
    allowed()
    server.received.length = 0
    await letters(page)
      .find(({ mine }) => mine === 'bad')
      ?.resolve('good').confirmed
    const [sent] = server.received.flatMap(message => (message.type === 'mutate' ? message.mutations : []))
    const [parent, child] = sent?.writes ?? []
    expect([parent?.data, child?.data]).toEqual([{ title: 'good' }, { title: 'child', parent: parent?.id }])
    expect(numberOf([page])).toEqual([0])
  })

  test('what stands already settles it, and nothing is sent', async () => {
    server.put('todos', 'a', { id: 'a', title: 'first' })
    const [page] = (await crew(1)) as [Tab]
    await refused(page)
    expect(await letters(page)[0]?.resolve('first').confirmed).toMatchObject({ status: 'applied', id: 'a' })
    expect([letters(page), page.client.pending()]).toEqual([[], []])
  })
})

test('[I4] a row that is made anew has its key as its column spells it', async () => {
  const columns = [
    ['id', 'integer'],
    ['title', 'text'],
  ] as const
  server.define('todos', textShape(['id', 'title'], { columns }))
  server.define(conflictsName, ['id', 'entity', 'row_id', 'field', 'mine', 'status'])
  const record = { id: 'c', entity: 'todos', row_id: '7', field: 'title', mine: 'mine', status: 'open' }
  server.put(conflictsName, 'c', record)
  const [page] = (await crew(1)) as [Tab]
  await vi.waitFor(() => expect(letters(page)).toHaveLength(1))
  letters(page)[0]?.keepMine()
  expect(page.client.get('todos', '7')).toEqual({ id: 7, title: 'mine' })
})

/** What each page is told of its list, as the values that did not survive, each with the one that stands. */
function watched(all: readonly Tab[]): unknown[][] {
  return all.map(page => {
    const told: unknown[] = []
    page.client.conflicts.subscribe(() => told.push(letters(page).map(({ mine, theirs }) => [mine, theirs])))
    return told
  })
}

const everywhere = (
  told: readonly unknown[][],
  last: readonly (readonly [mine: string, theirs: string | null])[],
): Promise<void> => vi.waitFor(() => expect(told.map(lists => lists.at(-1))).toEqual(told.map(() => last)))

describe('[I2] whoever watches the list is told', () => {
  test('[T3] of each dead letter that comes or goes, once, in every tab', async () => {
    server.put('todos', 'a', { id: 'a', title: 'first' })
    const pages = await crew(2)
    const [page, other] = pages as [Tab, Tab]
    const told = watched(pages)
    await refused(page)
    await everywhere(told, [['bad', 'first']])
    letters(other)[0]?.keepTheirs()
    await everywhere(told, [])
    await refused(other)
    await everywhere(told, [['bad', 'first']])
    await letters(other)[0]?.keepMine().confirmed
    await everywhere(told, [])
    expect(numberOf(pages)).toEqual([0, 0])
    expect(told.map(lists => lists.length)).toEqual([4, 4])
  })

  test('of what stands by now where a write was refused; of nothing else is the list another', async () => {
    server.define('todos', ['id', 'title', 'body'])
    server.put('todos', 'a', { id: 'a', title: 'first' })
    const pages = await crew(2)
    const [page, other] = pages as [Tab, Tab]
    await refused(page)
    const told = watched(pages)
    await other.client.update('todos', 'a', { title: 'second' }).confirmed
    await everywhere(told, [['bad', 'second']])
    const before = page.client.conflicts.list()
    await page.client.update('todos', 'a', { body: 'more' }).confirmed
    expect(page.client.conflicts.list()).toBe(before)
    expect(told.map(lists => lists.length)).toEqual([1, 1])
  })

  test('[I3] of what stands by now where it was hidden from the writer', async () => {
    const columns = ['entity', 'row_id', 'field', 'mine', 'theirs', 'theirs_at', 'status']
    server.define(conflictsName, ['id', ...columns])
    const record = { id: 'c', entity: 'todos', row_id: 'a', field: 'title', mine: 'mine', status: 'open' }
    server.put(conflictsName, 'c', { ...record, theirs: null, theirs_at: null })
    server.put(conflictsName, 'd', { ...record, id: 'd', row_id: 'b', theirs: null, theirs_at: '1' })
    const pages = await crew(1)
    const told = watched(pages)
    await everywhere(told, [
      ['mine', null],
      ['mine', null],
    ])
    server.put('todos', 'b', { id: 'b', title: 'made anew' })
    server.put('todos', 'a', { id: 'a', title: 'seen' })
    await everywhere(told, [
      ['mine', 'seen'],
      ['mine', null],
    ])
  })
})
