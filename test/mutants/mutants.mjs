// The named mutants; how they are written down, `kit.mjs` says.
import { accessMutants } from './access.mjs'
import { fieldMutants } from './fields.mjs'
import { decidingMutants } from './deciding.mjs'
import { differentialMutants } from './differential.mjs'
import { inboxMutants } from './inbox.mjs'
import { client, core, inClient, inServer, linkTests, sqlite, stores, tabs } from './kit.mjs'
import { patchMutants } from './patches.mjs'

export const mutants = [
  ...decidingMutants,
  // ---- the replica
  core('R3 contiguity: a gap is applied', "return 'gap'", "return 'apply'", 'cursor.ts', [
    'src/core/cursor.test.ts',
  ]),
  core('R3 contiguity: an overtaken batch is applied', "return 'overtaken'", "return 'apply'", 'cursor.ts', [
    'src/core/cursor.test.ts',
  ]),
  core('L6 the check of a cursor is not compared', ' && a.check === b.check', '', 'cursor.ts', [
    'src/core/cursor.test.ts',
  ]),
  core('L6 marks never grow old', '<= spread * (at.seq - newer.seq)', '>= 0', 'cursor.ts', [
    'src/core/cursor.test.ts',
  ]),
  inClient(
    'Q8 base is taken when it is sent',
    'outbox.ts',
    'const text = JSON.stringify(entry.record.mutation)',
    'const text = JSON.stringify({ ...entry.record.mutation, base: entry.record.mutation.base === null ? null : { ...entry.record.mutation.base, seq: Math.max(...[...state.entities.values()].map(kept => kept.cursor?.seq ?? 0)) } })',
  ),
  inClient(
    'R2 an overlay goes when its result comes',
    'settle.ts',
    '!writes.every(({ entity }) => reached(state, entity, result.version)) ||',
    '',
  ),
  inClient('R2 overlays go in any order', 'settle.ts', 'rows.some(row => waiting.has(row))', 'false', [
    'src/client/sweep.test.ts',
  ]),
  inClient('Q1 sent before it is durable', 'outbox.ts', 'if (!entry.durable) break', ''),
  inClient(
    'Q2 what was in flight is not sent again',
    'greet.ts',
    'for (const entry of state.entries.values()) entry.sent = false',
    '',
  ),
  inClient(
    'Q3 everything is acknowledged at once',
    'greet.ts',
    'return first - 1',
    'return state.identity.n',
  ),
  inClient('R5 nothing is cut', 'write.ts', 'const data = cut(view, write.data)', 'const data = write.data'),
  inClient(
    'Q6 the row keeps its temporary id in later writes',
    'rename.ts',
    'for (const entry of state.temporary.get(from) ?? []) renameEntry(state, entry, from, to)',
    '',
  ),
  inClient(
    'S7 a healed scope keeps what the server deleted',
    'heal.ts',
    'for (const [id] of gone) heal.staged.set(id, null)',
    '',
  ),
  inClient('R7 rows without their cursor', 'rows.ts', 'cursor: to,', 'cursor: from,'),
  inClient(
    'R7 IndexedDB does not compare the cursor',
    'idb.ts',
    'if (!sameCursor(stored?.cursor ?? null, commit.from))',
    'if (commit.entity === "")',
    stores,
  ),
  inClient(
    'R9 a page is newer than its journal',
    'idb-rows.ts',
    'for (const runs of packed.result) unpack(runs, rows)',
    'for (const runs of packed.result.toReversed()) unpack(runs, rows)',
    [...stores, 'src/client/idb-rows.test.ts'],
  ),

  // ---- tabs
  inClient(
    'T1 two tabs lead',
    'lead.ts',
    "if (lead.role !== 'follow') return []\n      lead.role = 'taking'",
    "lead.role = 'taking'",
    tabs,
  ),
  inClient('T2 a tab that slept steals', 'lead.ts', 'now - asked > answerMs + lateMs', 'false', tabs),
  inClient('T2 a hidden tab steals', 'lead.ts', ' || !event.visible', '', tabs),
  inClient(
    'T1 a tab that names more does not ask for what the leader named',
    'crew.ts',
    "tell(engine, { type: 'named', told: stored })",
    '',
    tabs,
  ),
  inClient(
    'R12 messages of another database are believed',
    'crew.ts',
    ' && message.client === engine.replica.state.identity.client',
    '',
    tabs,
  ),
  inClient(
    'R12 a page that slept marks the database in the place of its own',
    'eviction.ts',
    'another && before !== undefined',
    'false',
    tabs,
  ),
  inClient(
    'R12 a tab takes edits back from the mark that it has not heard of',
    'eviction.ts',
    'Math.max(n, made + drafts - before)',
    'n',
    tabs,
  ),
  inClient(
    'R12 what died on its way to the disk is counted for ever',
    'eviction.ts',
    '`${client} ${known} ${known - waiting}`',
    '`${client} ${Math.max(known, another ? 0 : made)} ${known - waiting}`',
    tabs,
  ),
  inClient(
    'R12 what was read of a database that is gone is taken for what is in its place',
    'boot.ts',
    'loaded.identity !== null && known.client !== identity.client',
    'false',
    tabs,
  ),
  inClient(
    'R12 a page that has yet to open a database loses its disk with it',
    'idb.ts',
    'handle.gone = handle.onGone !== null',
    'handle.gone = true',
    tabs,
  ),
  inClient(
    'R12 a leader whose disk was full stays when it is taken away',
    'boot.ts',
    'engine.broken = taken',
    '',
    tabs,
  ),
  inClient(
    'T3 followers hear of no results',
    'crew.ts',
    "post(engine, { type: 'results', frame: text })",
    'return',
    tabs,
  ),
  inClient(
    'T3 what the disk has is always better',
    'reload.ts',
    'if (stored === null || standsAs(kept, held)) return false',
    'return stored !== null',
    [],
  ),
  inClient(
    'T4 IndexedDB does not compare the lead',
    'idb.ts',
    'if (lead !== null && lead !== (identity?.lead ?? 0)) throw fenced()',
    '',
    stores,
  ),
  inClient(
    'T4 the disk of a world does not compare the lead',
    'memory.ts',
    'if (work.lead !== null && work.lead !== (identity?.lead ?? 0)) throw fenced()',
    '',
    stores,
  ),
  inClient(
    'T4 tabs number for themselves',
    'idb.ts',
    'first = (identity?.n ?? 0) + 1',
    'first = known + 1',
    stores,
  ),
  inClient(
    'T4 what another tab removed comes back',
    'idb.ts',
    'if (replaces(record, stored.get(record.n))) pending.put(record)',
    'pending.put(record)',
    stores,
  ),
  inClient(
    'Q5 a late tab revives a dead letter',
    'store.ts',
    'stored !== undefined && (dead !== undefined || stored.dead === undefined)',
    'stored !== undefined || dead !== undefined',
    stores,
  ),
  inClient(
    'T4 a claim raises what it does not know',
    'store.ts',
    'const raised = known.lead === from',
    'const raised = from !== null',
    [...stores, ...tabs],
  ),

  // ---- the connection
  inClient(
    'K8 the breaker never opens',
    'rivals.ts',
    'if (link.flaps >= maxFlaps) halt(link)',
    '',
    linkTests,
  ),

  // ---- the log
  {
    name: 'L2 the fold applies entries in reverse',
    file: 'src/server/settle.ts',
    find: 'for (const entry of fresh) next',
    replace: 'for (const entry of fresh.toReversed()) next',
    unit: ['src/server/settle.test.ts'],
    world: 'memory',
  },
  {
    name: 'L2 settled entries count again',
    file: 'src/server/settle.ts',
    find: 'entry.seq > known',
    replace: 'entry.seq >= 0',
    unit: ['src/server/settle.test.ts'],
    world: 'memory',
  },
  {
    name: 'C4 a suspected row counts as changed',
    file: 'src/server/settle.ts',
    find: "if (entry.op === '?') return line",
    replace: '',
    unit: ['src/server/settle.test.ts'],
    world: 'memory',
  },
  {
    name: "D2 what a resolver stored is the writer's own",
    file: 'src/server/settle.ts',
    find: 'by: entry.own ? entry.client : null',
    replace: 'by: entry.client',
    unit: ['src/server/settle.test.ts'],
    world: 'memory',
  },
  inServer(
    'L5 cleanup does not raise the horizon',
    'sqlite/cleanup.ts',
    "if (horizon > Number(meta(db, 'horizon'))) setMeta(db, 'horizon', horizon)",
    '',
    sqlite,
  ),
  inServer(
    'L5 deletes are forgotten at the next cleanup',
    'sqlite/cleanup.ts',
    'young === undefined ? last : Math.min(last, integer(young) - 1)',
    'last',
    sqlite,
  ),
  inServer(
    'L6 the nonce is not compared',
    'sqlite/store.ts',
    "return check === cursor.check ? 'here' : 'off'",
    "return 'here'",
    sqlite,
  ),
  inServer(
    'L6 cursors above the head are on the log',
    'sqlite/store.ts',
    ' || cursor.seq > head.seq) return',
    ') return',
    sqlite,
  ),
  inServer(
    'L3 an id that is used again forgets its delete',
    'sqlite/writer.ts',
    'if (gone === null) return decision',
    'return decision',
    sqlite,
  ),

  inServer(
    'L3 clocks fall where entries are read together',
    'sqlite/unread.ts',
    'Math.max(integer(row[5]), clock + 1, readingOf(update.stamp))',
    'Math.max(integer(row[5]), readingOf(update.stamp))',
    ['src/server/sqlite/unread.test.ts'],
  ),
  inServer(
    'D2 side effects count as sent where entries are read together',
    'sqlite/unread.ts',
    'columns === null || !isPlain(columns, found)',
    'columns === null',
    ['src/server/sqlite/unread.test.ts'],
  ),

  // ---- exactly once
  inServer(
    'Q3 no duplicate is recognised',
    'sqlite/accept.ts',
    'if (n !== null && n > this.#last) return undefined',
    'if (n !== null) return undefined',
    sqlite,
  ),
  inServer(
    'Q7 a lower lead may send',
    'sqlite/clients.ts',
    'sender.lead < known.lead',
    'sender.lead < 0',
    sqlite,
  ),
  inServer(
    'Q2 frames behind a refused one are processed',
    'hold.ts',
    'n > this.#from && acked < this.#from',
    'n < 0',
    ['src/server/hold.test.ts'],
    'memory',
  ),
  inServer(
    'Q8 bases on a lost branch are believed',
    'session.ts',
    "if (state === 'off') session.clamps.set",
    "if (state === 'old') session.clamps.set",
    ['src/server/session.test.ts'],
    'memory',
  ),
  inServer(
    'Q2 mutations behind one that waits for its resolver are stored',
    'sqlite/accept.ts',
    'accepted.push(outcome)\n        break',
    'accepted.push(outcome)\n        continue',
    sqlite,
  ),

  ...patchMutants,
  ...fieldMutants,
  ...accessMutants,
  ...differentialMutants,
  ...inboxMutants,
]
