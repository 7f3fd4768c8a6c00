// Where a client lives: its disk, the tabs beside it, its own writes, and what it does when something goes wrong. All that a
// page can be ready without on its first visit, and so a part that a small script loads a moment later. Neighbours: the
// engine, which asks it; the files that it is made of.
import type { Down, Row, Write } from '../core/index.ts'
import { adopt } from './adopt.ts'
import { answer, sync } from './asking.ts'
import type { DeadLetter, PendingWrite, WriteHandle } from './api.ts'
import { announce, forward, need, post } from './crew.ts'
import { desk } from './desk.ts'
import type { Desk } from './desk.ts'
import type { Engine } from './engine.ts'
import type { Handle } from './handles.ts'
import { late } from './late.ts'
import { close, forget, openDatabase, welcomed } from './opening.ts'
import type { ReplicaEvent } from './replica.ts'
import type { Change } from './state.ts'
import { furnish } from './rooms.ts'
import type { TabMessage } from './tabs.ts'
import { upkeep } from './upkeep.ts'
import type { Upkeep } from './upkeep.ts'
import { carry, deadLetters, discard, pending, put, retry, withRealIds } from './writing.ts'
import type { HomeEffect } from './writing.ts'

export interface Home {
  readonly desk: Desk
  readonly upkeep: Upkeep
  /** Before anything else. */
  furnish(engine: Engine): void
  /** `user` null: the last one of this browser. Connects when the store is open and a connection is wanted. */
  open(engine: Engine, user: string | null): void
  welcomed(engine: Engine, user: string): void
  forget(engine: Engine): Promise<void>
  close(engine: Engine): Promise<void>
  /** How many edits were moved. */
  adopt(engine: Engine): Promise<number>
  /** What it does beside its work: after every event, and once when it comes. */
  late(engine: Engine): void
  /** Whoever asked for a sync is told, if it is done or cannot be. */
  answer(engine: Engine): void
  /** Rejects NOT_CONNECTED. */
  sync(engine: Engine, entity: string): Promise<void>
  /** To the other tabs: how the connection is; with `stored` when all of it is on disk. */
  announce(engine: Engine, stored: boolean): void
  /** A frame of the server has been taken in. */
  forward(engine: Engine, message: Down, text: string, changes: readonly Change[]): void
  /** Something is awaited of the leader; `stale`: and what it has is to be read again. */
  need(engine: Engine, stale: boolean): void
  post(engine: Engine, message: TabMessage): void
  /** How this page says it to the other tabs, which understand every spelling. */
  spelled?(this: void, engine: Engine, message: TabMessage): TabMessage
  /** `first`: of what is written. */
  put(engine: Engine, handle: Handle, event: ReplicaEvent, first?: Write): void
  /** Of temporary ids that a page still holds. */
  withRealIds(engine: Engine, row: Row): Row
  carry(engine: Engine, effect: HomeEffect): void
  pending(engine: Engine): PendingWrite[]
  deadLetters(engine: Engine): DeadLetter[]
  retry(engine: Engine, n: number, writes?: readonly Write[]): WriteHandle
  discard(engine: Engine, n: number): void
}

export const home: Home = {
  desk,
  upkeep,
  furnish,
  open: openDatabase,
  welcomed,
  forget,
  close,
  adopt,
  late,
  answer,
  sync,
  announce,
  forward,
  need,
  post,
  put,
  withRealIds,
  carry,
  pending,
  deadLetters,
  retry,
  discard,
}
