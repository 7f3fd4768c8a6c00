import { expect, test } from 'vitest'
import { Slice } from './slice.ts'

/** How many rows are asked for, page by page, of a table whose rows have so many characters. */
async function pages(...widths: number[]): Promise<number[]> {
  const slice = new Slice()
  const asked: number[] = []
  for (const width of widths)
    await slice.read(async limit => {
      asked.push(limit)
      const json = width < 0 ? null : 'x'.repeat(width)
      return { rows: Array.from({ length: width === 0 ? 0 : limit }, () => ({ json })) }
    })
  return asked
}

test('[L7] a page is a small piece of work, whether its rows are narrow or wide', async () => {
  expect(await pages(200, 200, 200)).toEqual([100, 250, 250])
  expect(await pages(2_000, 2_000, 200_000, 200, 200)).toEqual([100, 32, 32, 1, 250])
  // deletes, and pages of nothing
  expect(await pages(-1, 0, -1)).toEqual([100, 250, 250])
})
