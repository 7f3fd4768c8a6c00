// M6: how much slower do the triggers make the application's own writes, 100 rows a transaction?
import { expect, middle, report, rounds } from '../measure.mjs'
import { startProcess } from '../process.mjs'

const limits = { insert: 1.9, update: 1.4 }

export async function bench({ runs, quick }) {
  const writes = quick ? 10_000 : 50_000
  for (const kind of ['insert', 'update']) {
    const samples = await rounds(['plain', 'json', 'syncline'], runs, variant =>
      once({ variant, kind, rows: 20_000, writes }),
    )
    const us = variant => middle(samples[variant], sample => sample.us)
    report({
      id: 'M6',
      what: kind,
      unit: 'us',
      value: us('syncline'),
      control: us('plain'),
      limit: limits[kind],
      name: 'no trigger',
    })
    report({
      id: 'M6',
      what: `${kind}, JSON log instead`,
      unit: 'us',
      value: us('json'),
      control: us('plain'),
      name: 'no trigger',
    })
    report({
      id: 'M6',
      what: `${kind}, fold (CPU of the engine)`,
      unit: 'us',
      value: middle(samples.syncline, sample => sample.fold),
    })
  }
  const samples = await rounds(['plain', 'syncline'], runs, variant =>
    once({ variant, kind: 'insert', rows: 0, writes, unique: true }),
  )
  const us = variant => middle(samples[variant], sample => sample.us)
  report({
    id: 'M6',
    what: 'insert with a secondary UNIQUE',
    unit: 'us',
    value: us('syncline'),
    control: us('plain'),
    name: 'no trigger',
  })
}

async function once(options) {
  const writer = startProcess(new URL('writer.mjs', import.meta.url))
  const sample = await writer.call('run', options)
  expect(sample.logged >= options.writes, `${sample.logged} of ${options.writes} writes are in the log`)
  await writer.stop()
  return sample
}
