// A tab whose every frame, change and durable mutation is written into the books and onto the screen that the oracles
// ask.
import type { Transport } from '../client/index.ts'
import type { EntityDefinition } from '../core/index.ts'
import type { Network } from './network.ts'
import type { Random } from './random.ts'
import type { VirtualTime } from './time.ts'
import type { Books } from './world-books.ts'
import { Browser } from './world-browser.ts'
import type { BrowserFaults, Profile } from './world-browser.ts'
import { Screen } from './world-screens.ts'
import type { WorldDatabase } from './world-database.ts'
import type { Habits } from './world-habits.ts'
import type { WorldScopes } from './world-scopes.ts'
import type { WorldServer } from './world-server.ts'
import type { WorldViews } from './world-views.ts'

export interface Watch {
  readonly time: VirtualTime
  readonly random: Random
  readonly network: Network
  readonly database: WorldDatabase
  readonly books: Books
  /** By the name of the tab. */
  readonly screens: Map<string, Screen>
  readonly entities: readonly EntityDefinition[]
  readonly faults: BrowserFaults
  readonly trace: ((line: string) => void) | null
  /** Null: everybody sees everything. */
  readonly views: WorldViews | null
  /** Null: everybody wants everything. */
  readonly scopes: WorldScopes | null
  /** Null: pages do little. */
  readonly habits: Habits | null
  server(): WorldServer
}

export function watched(name: string, profile: Profile, parts: Watch): Browser {
  const { time, random, books, screens, entities, faults, trace, scopes, habits } = parts
  const screen = screenOf(profile.name, parts)
  screens.set(name, screen)
  const browser: Browser = new Browser({
    name,
    profile,
    time,
    random,
    entities,
    names: scopes === null ? null : () => scopes.names(name, entities),
    faults,
    transports: transportsOf(name, profile, parts),
    events: {
      changed(change) {
        const { client } = browser
        trace?.(
          `${name} changed ${JSON.stringify(change)} ${JSON.stringify(change.ids.map(id => client.get(change.entity, id)))}`,
        )
        const pending = (id: string): boolean =>
          client.pending().some(({ writes }) => writes.some(write => write.id === id))
        screen.changed(change, (entity, id) => client.get(entity, id), pending, name)
        habits?.changed(name, change, client)
      },
      rejected: n => books.rejected(profile.name, browser.client.status().client, n),
      durable(client, records) {
        for (const { mutation } of records) books.durable(profile.name, client, mutation)
      },
      evicted: lost => books.announced(profile.name, lost),
      cleared(client) {
        books.cleared(profile.name, client)
        for (const its of screensOf(profile, screens)) its.reload()
      },
      diskFailed() {
        books.diskFailed(profile.name)
        // its disk is that of the others, which take over from what it stored
        for (const its of screensOf(profile, screens)) its.excuse()
      },
      forgot: () => screen.forget(),
      loaded(client) {
        screen.reload()
        scopes?.loaded(name, client)
        habits?.loaded(name, client)
      },
    },
  })
  return browser
}

function transportsOf(name: string, profile: Profile, parts: Watch): Transport[] {
  const { network, books, trace, scopes, habits } = parts
  return (['websocket', 'sse'] as const).map(kind =>
    network.transport({
      kind,
      owner: name,
      user: () => parts.views?.user(profile.name) ?? { id: profile.name },
      server: () => parts.server(),
      watch(direction, text, sentAt, line) {
        trace?.(`${name} ${direction} ${text}`)
        if (line.user !== undefined) parts.views?.[direction](line.user, text)
        scopes?.[direction](profile.name, text, line)
        habits?.questions[direction](profile.name, text, sentAt)
        books[direction](profile.name, text, sentAt, line)
      },
    }),
  )
}

function screensOf({ name }: Profile, screens: ReadonlyMap<string, Screen>): Screen[] {
  return [...screens].flatMap(([tab, screen]) => (tab.startsWith(`${name}.`) ? [screen] : []))
}

function screenOf(owner: string, { entities, database, views, scopes, books }: Watch): Screen {
  const hiding = entities.filter(({ strategy }) => strategy === 'server-wins')
  const names = new Set(hiding.map(entity => entity.name))
  const isHere = (table: string, id: string): boolean => {
    const row = database.rows(table).get(id)
    if (row === undefined) return false
    const isSeen = views?.expected(owner, table, new Map([[id, row]])).has(id) ?? true
    return isSeen && scopes?.isWanted(owner, table, row) !== false
  }
  return new Screen(names, views !== null || scopes !== null, isHere, value => books.mayReturn(value))
}
