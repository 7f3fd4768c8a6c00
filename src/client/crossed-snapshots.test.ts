// A first snapshot that is asked for again while it is on its way: what of the first answer comes still, and then the
// second (rule R4). The server gives the first one up when it hears of the second question, and says of what it has told
// of already what is gone since.
import { expect, test } from 'vitest'
import { at, rig } from './rig.test.ts'

type Rig = ReturnType<typeof rig>

const want = (r: Rig, wanted: boolean): unknown => r.step({ type: 'want', entity: 't', wanted })
const ids = (r: Rig): unknown => r.replica.rows('t').map(({ id }) => id)

/** Asked for, and the first page is here. */
function begun(wanted: boolean): Rig {
  const r = rig()
  if (!wanted) want(r, false)
  r.welcome({ head: 10 })
  if (!wanted) r.step({ type: 'ask', entity: 't' })
  r.batch(null, null, [
    [1, 'a', 'A', 'no'],
    [2, 'b', 'B', 'no'],
  ])
  return r
}

/** Asked for twice, by one who wanted it once, or gave it up meanwhile. */
const again: readonly [string, () => Rig][] = [
  [
    'asked for once, and then followed',
    () => {
      const r = begun(false)
      want(r, true)
      return r
    },
  ],
  [
    'given up, and followed again',
    () => {
      const r = begun(true)
      want(r, false)
      want(r, true)
      return r
    },
  ],
  [
    'asked for again, because it took too long',
    () => {
      const r = begun(true)
      r.step({ type: 'ask', entity: 't', again: true })
      return r
    },
  ],
]

for (const [how, twice] of again) {
  test(`[R4] ${how}: the last part of the first answer comes still, and is whole`, () => {
    const r = twice()
    expect(r.sent.filter(({ type }) => type === 'subscribe')).toHaveLength(2)
    r.batch(null, at(10), [[10, 'c', 'C', 'no']])
    expect(ids(r)).toEqual(['a', 'b', 'c'])
    // then the second one, which it was before, or which goes further: then it goes on from where it is
    r.batch(null, null, [[1, 'a', 'A', 'no']])
    r.batch(null, at(11), [[11, 'd', 'D', 'no']])
    expect(ids(r)).toEqual(['a', 'b', 'c'])
    expect(r.sent.at(-1)).toMatchObject({ type: 'subscribe', scopes: [{ cursor: at(10) }] })
    r.batch(at(10), at(11), [[11, 'd', 'D', 'no']])
    expect(ids(r)).toEqual(['a', 'b', 'c', 'd'])
  })

  test(`[R4] ${how}: the first answer is given up, and what it told of that is gone since is gone`, () => {
    const r = twice()
    r.batch(null, null, [[2, 'b', 'B', 'no']])
    r.batch(null, at(12), [[12, 'd', 'D', 'no']], { gone: [['a', 11]] })
    expect(ids(r)).toEqual(['b', 'd'])
    expect(r.replica.state.entities.get('t')?.cursor).toEqual(at(12))
  })
}

test('[R4] [W6] one that came to its end while nobody wanted it is nothing to what is asked for later', () => {
  const r = begun(true)
  want(r, false)
  r.batch(null, null, [[3, 'c', 'C', 'no']])
  r.batch(null, at(10), [])
  expect([ids(r), r.replica.state.entities.get('t')?.cursor]).toEqual([[], null])
  want(r, true)
  r.batch(null, at(12), [[12, 'd', 'D', 'no']])
  expect(ids(r)).toEqual(['d'])
})

test('[R4] [W6] what came of it while nobody wanted it counts, where its end comes later', () => {
  const r = begun(true)
  want(r, false)
  r.batch(null, null, [[3, 'c', 'C', 'no']])
  want(r, true)
  r.batch(null, at(10), [])
  expect(ids(r)).toEqual(['a', 'b', 'c'])
})
