// The script behind `<script src="/api/sync/client.js" data-sync-entities="...">`. Running it again changes nothing.
// Without such a tag, as where a module imports it, `rhtmxSync.init({ syncEntities })` begins.
import { lent } from './lent.ts'
import { complain, createRhtmxSync } from './rhtmx.ts'
import type { RhtmxSync } from './rhtmx.ts'
import { findTag, optionsOf } from './script.ts'
import type { InitOptions, Tag } from './script.ts'
import './index.ts'

/** The bundler puts in the hash of the second script that was built with this one. */
declare const lazyRelease: string

const begin = (tag: Tag): RhtmxSync => {
  const rhtmxSync = createRhtmxSync(optionsOf(tag, document, lazyRelease, complain), document)
  Object.assign(window, { rhtmxSync, rhtmxLent: lent })
  return rhtmxSync
}

// reason: the type says what pages see; before the script has run there is nothing
if ((window as Partial<Window>).rhtmxSync?.client === undefined) {
  const tag = findTag(document)
  const init = (dataset: InitOptions): RhtmxSync => begin({ src: '', dataset })
  if (tag === null) Object.assign(window, { rhtmxSync: { init } })
  else begin(tag)
}
