// The inbox of a client: what the server refused outright, in one tab and among several.
import { describe, expect, test } from 'vitest'
import type { ErrorBody } from '../core/index.ts'
import { crew, server } from './crew-rig.test.ts'
import type { Tab } from './crew-rig.test.ts'
import type { Conflict } from './index.ts'

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
