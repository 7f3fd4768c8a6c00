// A fresh client that loads every row of the table, to be in the way of the live ones.
import { subscriber } from '../dialects.mjs'
import { answerCalls } from '../process.mjs'

async function load({ port, name }) {
  let rows = 0
  const one = await subscriber('syncline', port, name, { onRows: batch => (rows += batch.length) })
  one.close()
  return rows
}

answerCalls({ load })
