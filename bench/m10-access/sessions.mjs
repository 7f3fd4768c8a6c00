// Many sessions on one engine, without sockets: what is measured is who is found to be concerned by a change, and told.
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { defineEntity, SyncEngine } from 'syncline'
import { answerCalls } from '../process.mjs'
import { insertRows, schema, temporaryFolder } from '../rows.mjs'

/** What session number `i` may see of how many rows, and which these are. */
const views = {
  owner: {
    rows: 10_000,
    rule: i => ({ owner: `u${i}` }),
    sees: (i, { owner }) => owner === `u${i}`,
  },
  mixed: {
    rows: 1_000,
    rule: i => {
      const [from, to] = [(i % 100) * 10, (i % 100) * 10 + 10]
      switch (i % 4) {
        case 0:
          return { and: [{ id: { gt: from } }, { id: { lte: to } }] }
        case 1:
          return { id: { gt: from, lte: to } }
        case 2:
          return { or: [{ id: { gt: from, lt: to } }, { id: to }] }
        default:
          return { id: { in: Array.from({ length: 10 }, (_, n) => from + n + 1) } }
      }
    },
    sees: (i, { id }) => id > (i % 100) * 10 && id <= (i % 100) * 10 + 10,
  },
}

/** Everybody sees everything, by a rule or without one. */
for (const [name, rule] of [
  ['ruled', () => ({ id: { gt: 0 } })],
  ['open', undefined],
])
  views[name] = { rows: 1_000, rule, sees: () => true }

answerCalls({
  async run({ sessions, kind, changes }) {
    const db = new DatabaseSync(join(temporaryFolder(), 'bench.db'))
    db.exec(`PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; ${schema}`)
    const view = views[kind]
    insertRows(db, view.rows)
    db.exec("UPDATE items SET owner = 'u' || (id - 1); CREATE INDEX by_owner ON items(owner)")
    const items = defineEntity({
      name: 'items',
      by: ['id', 'owner'],
      ...(view.rule && { access: { read: user => view.rule(Number(user.id)) } }),
    })
    const engine = await SyncEngine.create({ db, entities: [items] })
    const peers = []
    for (let i = 0; i < sessions; i++) peers.push(await subscribed(engine, i))
    const update = db.prepare('UPDATE items SET title = ? WHERE id = ?')
    let expected = 0
    const before = process.cpuUsage()
    for (let n = 0; n < changes; n++) {
      const id = 1 + ((n * 7919) % (kind === 'owner' ? sessions : view.rows))
      update.run(`title ${n}`, id)
      expected += kind === 'owner' ? 1 : kind === 'mixed' ? sessions / 100 : sessions
      while (total < expected) await new Promise(resolve => setImmediate(resolve))
    }
    const { user, system } = process.cpuUsage(before)
    const wrong = peers.findIndex(({ heard }, i) =>
      heard.ids.some(id => !view.sees(i, { id, owner: `u${id - 1}` })),
    )
    await engine.close()
    return { cpu: (user + system) / 1000 / changes, heard: total, expected, wrong }
  },
})

let total = 0

/** The ids in a frame; frames are shared, and each is read once. */
const read = new WeakMap()
function idsIn(frame) {
  let ids = read.get(frame)
  if (ids === undefined) {
    const { type, sets = [] } = JSON.parse(frame.text)
    const idsOf = ({ rows, patches = [] }) => [
      ...rows.map(([, id]) => id),
      ...patches.map(([id]) => Number(id)),
    ]
    ids = type === 'batch' ? sets.flatMap(idsOf) : []
    read.set(frame, ids)
  }
  return ids
}

async function subscribed(engine, i) {
  const heard = { ids: [], live: false }
  const peer = {
    kind: 'local',
    write(frames) {
      for (const frame of frames) {
        if (heard.live) {
          const ids = idsIn(frame)
          heard.ids.push(...ids)
          total += ids.length
        } else if (/^{"type":"batch".*"from":null,"to":/.test(frame.text.slice(0, 200))) heard.live = true
      }
    },
    buffered: () => 0,
    pause() {},
    resume() {},
    probe() {},
    close() {},
  }
  const connection = engine.connect(peer, { id: String(i) })
  connection.frame(JSON.stringify({ type: 'hello', protocol: 1, client: `c${i}`, lead: 1, acked: 0 }))
  const scope = { entity: 'items', cursor: null, marks: [], shape: null }
  connection.frame(JSON.stringify({ type: 'subscribe', scopes: [scope] }))
  while (!heard.live) await new Promise(resolve => setImmediate(resolve))
  return { heard }
}
