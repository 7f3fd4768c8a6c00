import { afterEach, test } from 'vitest'
import { cleanUp } from './support/app.ts'
import { survives } from './support/fuzz-run.ts'

afterEach(cleanUp)

const seed = Number(process.env['SEED'] ?? 47)

test(`[S1] [G7] X47 twenty thousand bent messages over every way in, seed ${seed}: it lives, and every reply is coded`, async () => {
  await survives(20_000, seed)
}, 300_000)
