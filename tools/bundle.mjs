// Bundles the scripts that a page loads with a plain <script> tag. Everything else is used as modules.
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { rolldown } from 'rolldown'
import { minify } from 'terser'
import { borrowing, lending } from './lend.mjs'
import { root } from './root.mjs'
import { shortened } from './shorten.mjs'

/**
 * What pages load, and what each of those loads when it needs it. They share what both need: the first lends it, the same
 * whichever it is.
 */
const firsts = [
  { source: 'src/faces/entry-rhtmx-sync.ts', output: 'dist/browser/rhtmx-sync.js' },
  { source: 'src/faces/entry-rhtmx-field-sync.ts', output: 'dist/browser/rhtmx-field-sync.js' },
]
const second = { source: 'src/faces/entry-rhtmx-lazy.ts', output: 'dist/browser/rhtmx-lazy.js' }

export const browserScripts = [...firsts, second]

export async function bundleAll() {
  const all = []
  for (const first of firsts) all.push((await bundle(first, { release: '', plugins: [] }, false)).modules)
  const modules = all[0].filter(id => all.every(one => one.includes(id)))
  const borrow = borrowing(modules)
  const readable = await bundle(second, { release: '', plugins: [borrow.plugin] }, false)
  const used = borrow.used(readable.code)
  await bundle(second, { release: '', plugins: [borrowing(modules, used).plugin] }, true)
  // the first come last: they know the second by the name of what is in it
  const release = releaseOf(second)
  for (const first of firsts) await bundle(first, { release, plugins: [lending(used)] }, true)
}

/** As the routes name it: `lazy.<hash>.js`. */
function releaseOf({ output }) {
  const file = readFileSync(path.join(root, output))
  return createHash('sha256').update(file).digest('hex').slice(0, 16)
}

/** `final`: as it is served, and written; else to look at. */
async function bundle({ source, output }, { release, plugins }, final) {
  const build = await rolldown({
    input: path.join(root, source),
    cwd: root,
    platform: 'browser',
    plugins,
    // no getter of ours does anything when nobody wants its value
    treeshake: { propertyReadSideEffects: false },
    transform: { target: 'es2022', define: { lazyRelease: JSON.stringify(release) } },
    onLog(level, log) {
      // A warning here is an import that is not there or a cycle: both break the page.
      if (level === 'warn') throw new Error(`bundling ${source}: ${log.message}`)
    },
  })
  const options = {
    file: path.join(root, output),
    format: 'iife',
    minify: final && { mangle: true, compress: true, codegen: true, mangleProps: shortened },
    comments: false,
    globals: { borrowed: 'rhtmxLent' },
    // not named within the script: a page's server has no map
    sourcemap: final && 'hidden',
  }
  const { output: chunks } = await build.generate(options)
  await build.close()
  if (final) await write(path.join(root, output), chunks[0], output !== second.output)
  return { modules: chunks[0].moduleIds, code: chunks[0].code }
}

/** Once more through another minifier, which finds a hundredth of it that the bundler's own leaves. */
async function write(file, { code, map }, hoist) {
  const url = `${path.basename(file)}.map`
  const smaller = await minify(code, {
    ecma: 2022,
    compress: { ecma: 2022, passes: 3, sequences: false, hoist_funs: hoist },
    sourceMap: { content: map, filename: path.basename(file), includeSources: true },
  })
  mkdirSync(path.dirname(file), { recursive: true })
  writeFileSync(file, smaller.code)
  writeFileSync(path.join(path.dirname(file), url), smaller.map)
}
