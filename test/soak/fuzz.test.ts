// A million bent messages. `FRAMES=50000 SEED=3 npm run soak -- fuzz` for others.
import { afterEach, test } from 'vitest'
import { cleanUp } from '../server/support/app.ts'
import { survives } from '../server/support/fuzz-run.ts'

afterEach(cleanUp)

const frames = Number(process.env['FRAMES'] ?? 1_000_000)
const seed = Number(process.env['SEED'] ?? 4_700_000)

test(`[S1] [G7] X47 ${frames} bent messages over every way in, seed ${seed}`, () => survives(frames, seed))
