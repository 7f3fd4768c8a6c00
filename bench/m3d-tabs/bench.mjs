// M3d: what does each more tab with 100,000 rows cost in memory, and how soon does it show them?
import { readdirSync, readFileSync } from 'node:fs'
import { openSite } from '../browser.mjs'
import { median, middle, report } from '../measure.mjs'

const tabs = 5

export async function bench({ runs, quick }) {
  const rows = quick ? 20_000 : 100_000
  const samples = []
  for (let run = 0; run < Math.min(runs, 3); run++) samples.push(await once(rows))
  const value = figure => middle(samples, sample => sample[figure])
  report({
    id: 'M3d',
    what: `heap of each of tab 2 to ${tabs} with ${rows} rows`,
    unit: 'MB',
    value: value('heapOfOthers'),
    control: value('heapOfFirst'),
    name: 'one tab alone',
  })
  // Linux alone tells what of a process's memory is its own
  if (process.platform === 'linux')
    report({
      id: 'M3d',
      what: `the whole browser with ${tabs} such tabs`,
      unit: 'MB',
      value: value('browserOfAll'),
      control: value('browserOfOne'),
      name: 'with one',
    })
  report({
    id: 'M3d',
    what: `rows readable in tab 2 to ${tabs}`,
    unit: 'ms',
    value: value('readableInOthers'),
    control: value('readableInFirst'),
    name: 'the first, from the server',
  })
}

async function once(rows) {
  const site = await openSite('syncline', { rows })
  const first = await site.load()
  const heapOfFirst = await heapOf(site, first.page)
  const browserOfOne = memoryOf(site.profile)
  const others = []
  for (let tab = 2; tab <= tabs; tab++) others.push(await site.load())
  const heaps = []
  for (const { page } of others) heaps.push(await heapOf(site, page))
  const browserOfAll = memoryOf(site.profile)
  for (const { page } of [first, ...others]) await site.check(page)
  await site.close()
  return {
    heapOfFirst,
    heapOfOthers: median(heaps),
    browserOfOne,
    browserOfAll,
    readableInFirst: first.marks.readable,
    readableInOthers: middle(others, ({ marks }) => marks.readable),
  }
}

/** MB that the page's scripts hold. */
async function heapOf({ context }, page) {
  const session = await context.newCDPSession(page)
  await session.send('HeapProfiler.collectGarbage')
  const { usedSize } = await session.send('Runtime.getHeapUsage')
  await session.detach()
  return usedSize / 1e6
}

/** MB of the browser of this profile with all its processes; what they share counts once. */
function memoryOf(profile) {
  if (process.platform !== 'linux') return NaN
  const family = new Set()
  const processes = readdirSync('/proc').filter(name => /^\d+$/.test(name))
  const parents = new Map(processes.map(pid => [pid, parentOf(pid)]))
  const belongs = pid =>
    pid !== undefined &&
    (family.has(pid) || textOf(pid, 'cmdline').includes(profile) || belongs(parents.get(pid)))
  for (const pid of processes) if (belongs(pid)) family.add(pid)
  let kilobytes = 0
  for (const pid of family) kilobytes += Number(/^Pss:\s+(\d+)/m.exec(textOf(pid, 'smaps_rollup'))?.[1] ?? 0)
  return kilobytes / 1000
}

const parentOf = pid => /^PPid:\s+(\d+)/m.exec(textOf(pid, 'status'))?.[1]

/** Empty when the process has ended meanwhile. */
function textOf(pid, file) {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    return ''
  }
}
