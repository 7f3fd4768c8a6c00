// The world as the client sees it. Machines never look at it; the root and the transports do, so that one seed replays
// a whole run and ladders are tested without waiting.

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
  /** Tells of hints that the network or the page changed; the result stops it. */
  onHint(listener: (hint: Hint) => void): () => void
}

/** `online`, `visible`, `resume`: probe now. `offline`: a hint to probe, no verdict. `hide`: flush what you can. */
export type Hint = 'online' | 'offline' | 'visible' | 'resume' | 'hide'

export function platformEnv(): ClientEnv {
  return {
    now: () => Date.now(),
    random: () => Math.random(),
    after(ms, run) {
      const timer = setTimeout(run, ms)
      return () => clearTimeout(timer)
    },
    unique: () => crypto.randomUUID(),
    online: () => typeof navigator === 'undefined' || navigator.onLine !== false,
    onHint: listenToPage,
  }
}

function listenToPage(listener: (hint: Hint) => void): () => void {
  if (typeof window === 'undefined') return () => {}
  const stops: (() => void)[] = []
  const on = (target: EventTarget, type: string, hint: () => Hint | null): void => {
    const handle = (): void => {
      const given = hint()
      if (given !== null) listener(given)
    }
    target.addEventListener(type, handle)
    stops.push(() => target.removeEventListener(type, handle))
  }
  on(window, 'online', () => 'online')
  on(window, 'offline', () => 'offline')
  on(window, 'pageshow', () => 'resume')
  on(window, 'pagehide', () => 'hide')
  on(document, 'resume', () => 'resume')
  on(document, 'visibilitychange', () => (document.visibilityState === 'visible' ? 'visible' : 'hide'))
  return () => {
    for (const stop of stops) stop()
  }
}
