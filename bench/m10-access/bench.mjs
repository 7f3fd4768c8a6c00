// M10: what does a change cost the server that concerns few of very many sessions, each with a view of its own?
import { expect, middle, report, rounds } from '../measure.mjs'
import { startProcess } from '../process.mjs'

export async function bench({ runs, quick }) {
  const many = quick ? 2_000 : 10_000
  const changes = quick ? 100 : 400
  const ways = [
    { kind: 'owner', what: `a change, ${many} sessions that see their own rows`, limit: 1.5 },
    { kind: 'mixed', what: `a change, ${many} sessions over 100 and/or/in/range views`, limit: 3 },
  ]
  for (const { kind, what, limit } of ways) {
    const samples = await rounds([100, many], runs, sessions =>
      once({ sessions: Number(sessions), kind, changes }),
    )
    report({
      id: 'M10',
      what,
      unit: 'ms CPU',
      value: middle(samples[many], ({ cpu }) => cpu),
      control: middle(samples[100], ({ cpu }) => cpu),
      name: '100 sessions',
      limit,
    })
  }
  const samples = await rounds(['open', 'ruled'], runs, kind => once({ sessions: 1_000, kind, changes }))
  report({
    id: 'M10',
    what: 'a change for 1,000 sessions, by a rule that all of them pass',
    unit: 'ms CPU',
    value: middle(samples.ruled, ({ cpu }) => cpu),
    control: middle(samples.open, ({ cpu }) => cpu),
    name: 'no rule',
    limit: 1.1,
  })
}

async function once(options) {
  const server = startProcess(new URL('sessions.mjs', import.meta.url))
  const sample = await server.call('run', options)
  await server.stop()
  expect(sample.heard === sample.expected, `${sample.heard} rows were heard, not ${sample.expected}`)
  expect(sample.wrong === -1, `session ${sample.wrong} was shown another one's row`)
  return sample
}
