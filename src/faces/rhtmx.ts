// `window.rhtmxSync`: the page's client by rows.
import { faceOf } from './face.ts'
import type { Face } from './face.ts'
import { placeOf } from './page.ts'
import type { InitOptions, ScriptOptions } from './script.ts'

export interface RhtmxSync extends Face {
  /** Begins, where no script tag did. Afterwards it changes nothing. */
  init(options: InitOptions): RhtmxSync
}

export function createRhtmxSync(options: ScriptOptions, page: Document): RhtmxSync {
  const sync: RhtmxSync = Object.assign(faceOf(placeOf(options, page, 'entity'), 'entity'), {
    init: () => sync,
  })
  return sync
}
