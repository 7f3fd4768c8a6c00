// Loads the second script when it is needed. A tag and a global instead of `import()`: it works from other origins
// without CORS, and what failed once can be tried again in every browser.
import type { Healing, Rivals, Transport } from '../client/index.ts'

export interface Lazy {
  readonly healing: Healing
  readonly rivals: Rivals
  sseTransport(url: string): Transport
  longPollTransport(url: string): Transport
}

declare global {
  interface Window {
    readonly rhtmxLazy?: Lazy
  }
}

/** Calls during a load share it; a failure is forgotten. */
export function lazily(page: Document, address: string): () => Promise<Lazy> {
  let loading: Promise<Lazy> | null = null
  return () =>
    (loading ??= new Promise<Lazy>((resolve, reject) => {
      const tag = page.createElement('script')
      const end = (): void => {
        tag.remove()
        if (window.rhtmxLazy !== undefined) return resolve(window.rhtmxLazy)
        loading = null
        reject(new Error(`${address} could not be loaded`))
      }
      tag.onload = tag.onerror = end
      tag.src = address
      page.head.append(tag)
    }))
}
