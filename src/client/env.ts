// The world as the client sees it. Machines never look at it; the root and the transports do, so that one seed replays
// a whole run and ladders are tested without waiting.

import type { Tabs } from './tabs.ts'

export interface ClientEnv {
  /** Milliseconds since 1970. */
  now(): number
  /** In [0, 1). */
  random(): number
  /** Runs once after `ms`; the result cancels. */
  after(ms: number, run: () => void): () => void
  /** A name that nobody else draws: letters, digits, `_`, `-`. */
  unique(): string
  /** What the platform thinks of the network: false is a hint, true means nothing. */
  online(): boolean
  /** Whether the user asks pages to save data. */
  readonly saveData?: boolean
  /** What all pages of this browser see, beside their databases. Default: the local storage. */
  readonly notes?: Notes
  /** Whether somebody sees the page. Absent: always. */
  visible?(): boolean
  /** Other pages of this browser. Absent: there are none. */
  readonly tabs?: Tabs
  /** Tells of hints that the network or the page changed; the result stops it. */
  onHint(listener: (hint: Hint) => void): () => void
}

interface Thrifty {
  readonly connection?: { readonly saveData?: boolean }
}

/** What databases and notes are called by, unless a page says otherwise. */
export const defaultName = 'syncline'

/** Short texts that outlive a page, and its databases. */
export interface Notes {
  get(key: string): string | null
  set(key: string, value: string): void
}

/** What is noted under it in this browser. */
export function recall(key: string): string | null {
  try {
    return localStorage.getItem(key)
  } catch {
    return null
  }
}

/**
 * `online`, `visible`, `resume`: probe now. `offline`: a hint to probe, no verdict. `hide`: flush what you can.
 * `suspend`: the page is left and may come back as it is, if it holds no connection; `resume` follows.
 */
export type Hint = 'online' | 'offline' | 'visible' | 'resume' | 'hide' | 'suspend'

/** A page as it begins: it knows of no others, and hears of nothing. See `platformEnv`. */
export function pageEnv(): ClientEnv {
  return {
    now: () => Date.now(),
    random: () => Math.random(),
    after(ms, run) {
      const timer = setTimeout(run, ms)
      return () => clearTimeout(timer)
    },
    // `randomUUID` is missing where a page came over plain http
    unique: () =>
      Array.from(crypto.getRandomValues(new Uint8Array(16)), byte => byte.toString(16).padStart(2, '0')).join(
        '',
      ),
    // reason: outside of browsers there is none, and not every browser tells of its connection
    online: () => (globalThis.navigator as Navigator | undefined)?.onLine !== false,
    saveData: (globalThis.navigator as Thrifty | undefined)?.connection?.saveData === true, // reason: as above
    visible: () => typeof document === 'undefined' || document.visibilityState === 'visible',
    onHint: () => () => {},
  }
}
