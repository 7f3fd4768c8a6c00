// What a page seldom needs, loaded a little after it is ready or when it is needed first: a script of its own, served as
// `lazy.js` beside `client.js`. It works on the state of the script that loads it, so both are of one release.
import { healing, longPollTransport, rivals, sseTransport } from '../client/index.ts'
import type { Lazy } from './lazy.ts'

const lazy: Lazy = { healing, rivals, sseTransport, longPollTransport }
Object.assign(window, { rhtmxLazy: lazy })
