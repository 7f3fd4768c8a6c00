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
  /** Hears of every action and event. */
  readonly trace?: (line: string) => void
}

export interface WorldReport {
  readonly seed: number
  /** What went wrong; empty: nothing. */
  readonly problems: readonly string[]
  readonly steps: number
  readonly mutations: number
  /** Virtual seconds until all was quiet. */
  readonly quietAfter: number
}
