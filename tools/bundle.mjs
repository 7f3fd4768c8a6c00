// Bundles the scripts that a page loads with a plain <script> tag. Everything else is used as modules.
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { rolldown } from 'rolldown'
import { minify } from 'terser'
import { borrowing, lending } from './lend.mjs'
import { root } from './root.mjs'
import { shortened } from './shorten.mjs'

/** What a page loads, and what that one loads when it needs it. They share what both need: the first lends it. */
const first = { source: 'src/faces/entry-rhtmx-sync.ts', output: 'dist/browser/rhtmx-sync.js' }
const second = { source: 'src/faces/entry-rhtmx-lazy.ts', output: 'dist/browser/rhtmx-lazy.js' }

export const browserScripts = [first, second]

export async function bundleAll() {
  const { modules } = await bundle(first, { release: '', plugins: [] }, false)
  const borrow = borrowing(modules)
  const readable = await bundle(second, { release: '', plugins: [borrow.plugin] }, false)
  const used = borrow.used(readable.code)
  await bundle(second, { release: '', plugins: [borrowing(modules, used).plugin] }, true)
  // the first comes last: it knows the second by the name of what is in it
  const release = releaseOf(second)
  await bundle(first, { release, plugins: [lending(used)] }, true)
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
  if (final) await write(path.join(root, output), chunks[0])
  return { modules: chunks[0].moduleIds, code: chunks[0].code }
}

/** Once more through another minifier, which finds a hundredth of it that the bundler's own leaves. */
async function write(file, { code, map }) {
  const url = `${path.basename(file)}.map`
  const smaller = await minify(code, {
    ecma: 2022,
    compress: { ecma: 2022, passes: 3, sequences: false },
    sourceMap: { content: map, filename: path.basename(file), includeSources: true },
  })
  mkdirSync(path.dirname(file), { recursive: true })
  writeFileSync(file, smaller.code)
  writeFileSync(path.join(path.dirname(file), url), smaller.map)
}
