// What the platform tells a page: of the other tabs of this browser, and of its network. Neighbours: `env`, of which it is a
// part; `crew` and `link`, which hear it.
import { pageEnv } from './env.ts'
import type { ClientEnv, Hint } from './env.ts'
import type { Posted, Tabs } from './tabs.ts'

/** The world as it is. */
export function platformEnv(): ClientEnv {
  return { ...pageEnv(), ...platform }
}

/** Messages of another release are not understood: a tab hears only its own kind. */
const version = 1

export const platformTabs: Tabs = {
  channel(name, hear) {
    if (typeof BroadcastChannel === 'undefined') return null
    const channel = new BroadcastChannel(name)
    channel.onmessage = ({ data }: MessageEvent<(Posted & { readonly v: number }) | null>) => {
      if (data?.v === version) hear(data)
    }
    return {
      post: message => channel.postMessage({ v: version, ...message }),
      close: () => channel.close(),
    }
  },
  lock(name, holder) {
    const locks = typeof navigator === 'undefined' ? undefined : navigator.locks
    if (locks === undefined) return null
    let release = (): void => {}
    const request = (options: LockOptions): void => {
      let held = false
      let over = false
      release = () => void (over = true)
      locks
        .request(name, options, () => {
          if (over) return undefined
          held = true
          holder.granted()
          return new Promise<void>(resolve => (release = resolve))
        })
        .catch(() => {
          if (held) holder.lost()
        })
    }
    let waiting = new AbortController()
    request({ signal: waiting.signal })
    return {
      steal() {
        waiting.abort()
        waiting = new AbortController()
        request({ steal: true })
      },
      release() {
        waiting.abort()
        release()
      },
    }
  },
}

/** Null: what the page's visibility says. */
const pageHints: Readonly<Record<string, Hint | null>> = {
  online: 'online',
  offline: 'offline',
  pageshow: 'resume',
  resume: 'resume',
  pagehide: null,
  visibilitychange: null,
}

function listenToPage(listener: (hint: Hint) => void): () => void {
  if (typeof window === 'undefined') return () => {}
  const handle = (event: Event): void => {
    // the page has just been loaded
    if (event.type === 'pageshow' && 'persisted' in event && event.persisted === false) return
    const left = 'persisted' in event && event.persisted === true ? 'suspend' : 'hide'
    const shown = document.visibilityState === 'visible' && event.type !== 'pagehide'
    listener(pageHints[event.type] ?? (shown ? 'visible' : left))
  }
  const types = Object.keys(pageHints)
  // captured: some of them are the document's and do not bubble
  for (const type of types) window.addEventListener(type, handle, true)
  return () => {
    for (const type of types) window.removeEventListener(type, handle, true)
  }
}

export const platform: Required<Pick<ClientEnv, 'tabs' | 'onHint'>> = {
  tabs: platformTabs,
  onHint: listenToPage,
}
