// Bundles the scripts that a page loads with a plain <script> tag. Everything else is used as modules.
import { existsSync } from 'node:fs'
import path from 'node:path'
import { rolldown } from 'rolldown'
import { root } from './root.mjs'

/** One line per browser script: where it starts and what comes out. */
export const browserScripts = [
  { source: 'src/faces/entry-rhtmx-sync.ts', output: 'dist/browser/rhtmx-sync.js' },
  // what the first one loads when it needs it
  { source: 'src/faces/entry-rhtmx-lazy.ts', output: 'dist/browser/rhtmx-lazy.js' },
]

export async function bundleAll() {
  for (const script of browserScripts) {
    if (existsSync(path.join(root, script.source))) await bundle(script)
    else console.error(`skipped ${script.output}: there is no ${script.source} yet`)
  }
}

async function bundle({ source, output }) {
  const build = await rolldown({
    input: path.join(root, source),
    cwd: root,
    platform: 'browser',
    transform: { target: 'es2022' },
    onLog(level, log) {
      // A warning here is an import that is not there or a cycle: both break the page.
      if (level === 'warn') throw new Error(`bundling ${source}: ${log.message}`)
    },
  })
  await build.write({ file: path.join(root, output), format: 'iife', minify: true, sourcemap: true })
  await build.close()
}
