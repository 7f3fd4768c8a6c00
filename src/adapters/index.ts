// The door of the adapters' room; each adapter is a door of its own besides.
export { fromDrizzle } from './drizzle.ts'
export type { DrizzleColumn, DrizzleRow, DrizzleTable } from './drizzle.ts'
export { betterAuth, syncline } from './better-auth.ts'
export type { BetterAuthOptions, BetterAuthParts, BetterAuthServer, SynclinePlugin } from './better-auth.ts'
