// What is said to a world, and what it says in the end.
import type { MakeDatabase } from './world-database.ts'

export interface WorldOptions {
  readonly seed: number
  /** Default: the memory database. */
  readonly database?: MakeDatabase
  /** Virtual seconds of trouble. Default: 30. */
  readonly seconds?: number
  /** Whether some users do not see everything. Default: in one world of four. */
  readonly views?: boolean
  /** Whether tabs want parts of tables. Default: in one world of four. */
  readonly scopes?: boolean
  /** Whether the server gives little. Default: in one world of four. */
  readonly scarce?: boolean
  /** Whether pages do all that their clients can do, and servers read little at a time. Default: in one world of four. */
  readonly habits?: boolean
  /** Whether rows are so wide that only what changed of them is sent. Default: in every other world. */
  readonly wide?: boolean
  /** Hears of every action and event. */
  readonly trace?: (line: string) => void
}

export interface WorldReport {
  readonly seed: number
  /** What went wrong; empty: nothing. */
  readonly problems: readonly string[]
  readonly steps: number
  readonly mutations: number
  /** Frames in which only what had changed of a row was sent. */
  readonly patches: number
  /** Virtual seconds until all was quiet. */
  readonly quietAfter: number
}
