import { expect, test } from 'vitest'
import { Slice } from './slice.ts'

/** Pages that take `costUs` a row on a clock of whole milliseconds. */
async function pages(count: number, costUs: number): Promise<number[]> {
  let us = 0
  const slice = new Slice(() => Math.floor(us / 1000))
  const sizes: number[] = []
  for (let i = 0; i < count; i++)
    sizes.push(
      await slice.read(async rows => {
        us += rows * costUs
        return rows
      }),
    )
  return sizes
}

test('[L7] pages are as large as a short while allows, whatever a row costs', async () => {
  const cheap = await pages(20, 1)
  expect(cheap.at(-1)).toBe(1000)
  const usual = (await pages(40, 8)).slice(10)
  expect(Math.max(...usual)).toBeLessThanOrEqual(500)
  expect(Math.min(...usual)).toBeGreaterThanOrEqual(125)
  // rows of a megabyte: few at a time, but the reading goes on, and small changes take few frames even on a slow machine
  const dear = await pages(20, 5_000)
  expect(dear[0]).toBe(125)
  expect(dear.at(-1)).toBe(125)
})
