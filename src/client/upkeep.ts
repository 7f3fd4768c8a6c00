// What keeps a connection, once there is one: doubts about it, and others in its place.
import { doubts } from './doubts.ts'
import type { Doubts } from './doubts.ts'
import { rivals } from './rivals.ts'
import type { Rivals } from './rivals.ts'

export type Upkeep = Rivals & Doubts

export const upkeep: Upkeep = { ...rivals, ...doubts }
