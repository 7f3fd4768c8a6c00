// What an engine knows once it has a home: of its disk, of other tabs, of what its users wrote and wait for.
import type { SyncError } from '../core/index.ts'
import type { Sync } from './asking.ts'
import { newCrew } from './crew.ts'
import type { Crew } from './crew-state.ts'
import type { Disk } from './disk.ts'
import type { Engine } from './engine.ts'
import { recall } from './env.ts'
import type { Notes } from './env.ts'
import type { Handle } from './handles.ts'
import { noStore } from './memory.ts'
import type { ClientStore } from './store.ts'
import type { Lock } from './tabs.ts'
import type { Wants } from './wants.ts'

type Handles = Map<number, Handle>

export interface Rooms {
  /** What is to be asked of the server, for all tabs; null: what this page wants. */
  desired: Wants | null
  /** By `n`, until settled. */
  handles: Handles
  /** Of each client that this page has been: numbers are a client's own. */
  readonly shelves: Map<string, Handles>
  store: ClientStore
  disk: Disk
  crew: Crew
  /** Where tabs cannot hear each other: of the one that has the disk. */
  exclusive: Lock | null
  /** Why the disk takes nothing any more. */
  broken: SyncError | null
  moulted: boolean
  /** What this page wants and the server does not have, as far as that was told. */
  readonly missed: Set<string>
  /** Why confirmed rows are not stored any more. */
  rowsLost: SyncError | null
  /** How many edits of its own this page has marked, by the client that it was then. */
  readonly marked: Map<string, number>
  /** The database, by its key, that was emptied on purpose. */
  cleared: string | null
  /** Nothing more is heard of the page. */
  deafen: () => void
  /** Ends the wait for housekeeping. */
  tidying: () => void
  /** The part of the database's name that says whose it is. */
  key: string
  readonly notes: Notes
  /** Not done yet. */
  syncs: Sync[]
}

/** Without a storage nothing is remembered. */
const pageNotes: Notes = {
  get: recall,
  set(key, value) {
    try {
      localStorage.setItem(key, value)
    } catch {}
  },
}

/** What is there before a store is open. */
const noDisk: Disk = { save() {}, yield() {}, idle: async () => {} }

export function furnish(engine: Engine): void {
  const { welcome } = engine.crew
  const rooms: Rooms = {
    desired: null,
    handles: new Map(),
    shelves: new Map(),
    store: noStore(),
    disk: noDisk,
    crew: { ...newCrew(), welcome },
    exclusive: null,
    broken: null,
    moulted: false,
    missed: new Set(),
    rowsLost: null,
    marked: new Map(),
    cleared: null,
    deafen: () => {},
    tidying: () => {},
    key: '',
    notes: engine.env.notes ?? pageNotes,
    syncs: [],
  }
  Object.assign(engine, rooms)
  // there was nobody to forward what came
  engine.replica.state.parted = false
}
