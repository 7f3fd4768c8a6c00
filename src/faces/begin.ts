// How every script begins: with its tag, or, without one, when `init` is called. Running it again changes nothing.
import type { Face } from './face.ts'
import { complain } from './page.ts'
import { findTag, optionsOf } from './script.ts'
import type { InitOptions, ScriptKind, ScriptOptions, Tag } from './script.ts'

/** The bundler puts in the hash of the second script that was built with this one. */
declare const lazyRelease: string

/** Puts what `create` makes on the window, under all names of this kind. */
export function runScript(
  kind: ScriptKind & { readonly names: readonly string[] },
  create: (options: ScriptOptions, page: Document, tag: Tag) => Face,
): void {
  // reason: what there is under these names is ours, whole or with nothing but `init`
  const globals = window as unknown as Record<string, Partial<Face> | { init(options: InitOptions): Face }>
  const put = <G extends (typeof globals)[string]>(global: G): G => {
    for (const name of kind.names) globals[name] = global
    return global
  }
  const begin = (tag: Tag): Face =>
    put(create(optionsOf(tag, document, lazyRelease, complain, kind), document, tag))
  if (kind.names.some(name => 'client' in (globals[name] ?? {}))) return
  const tag = findTag(document, kind)
  if (tag === null) put({ init: dataset => begin({ src: '', dataset }) })
  else begin(tag)
}
