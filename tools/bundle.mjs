// Bundles the scripts that a page loads with a plain <script> tag. Everything else is used as modules.
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { rolldown } from 'rolldown'
import { root } from './root.mjs'

/** One line per browser script: where it starts and what comes out. */
export const browserScripts = [
  // what the other one loads when it needs it, under the name of what is in it: so it comes first
  { source: 'src/faces/entry-rhtmx-lazy.ts', output: 'dist/browser/rhtmx-lazy.js' },
  { source: 'src/faces/entry-rhtmx-sync.ts', output: 'dist/browser/rhtmx-sync.js', uses: 0 },
]

export async function bundleAll() {
  for (const script of browserScripts) {
    if (existsSync(path.join(root, script.source))) await bundle(script)
    else console.error(`skipped ${script.output}: there is no ${script.source} yet`)
  }
}

/** As the routes name it: `lazy.<hash>.js`. */
function releaseOf({ output }) {
  const file = readFileSync(path.join(root, output))
  return createHash('sha256').update(file).digest('hex').slice(0, 16)
}

async function bundle({ source, output, uses }) {
  const lazyRelease = uses === undefined ? '' : releaseOf(browserScripts[uses])
  const build = await rolldown({
    input: path.join(root, source),
    cwd: root,
    platform: 'browser',
    transform: { target: 'es2022', define: { lazyRelease: JSON.stringify(lazyRelease) } },
    onLog(level, log) {
      // A warning here is an import that is not there or a cycle: both break the page.
      if (level === 'warn') throw new Error(`bundling ${source}: ${log.message}`)
    },
  })
  await build.write({
    file: path.join(root, output),
    format: 'iife',
    minify: true,
    comments: false,
    // not named within the script: a page's server has no map
    sourcemap: 'hidden',
  })
  await build.close()
}
