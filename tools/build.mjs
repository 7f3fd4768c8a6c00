// `npm run build`: modules and types with the compiler, then the browser scripts with the bundler.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { bundleAll } from './bundle.mjs'
import { root } from './root.mjs'

const dist = path.join(root, 'dist')
const done = path.join(dist, '.build/done')

// Taken before the compiler reads anything: a file saved during the build is newer than the build.
const startedAt = new Date()

removeOrphans()
const compiler = path.join(root, 'node_modules/typescript/bin/tsc')
const compiled = spawnSync(process.execPath, [compiler, '-b'], { cwd: root, stdio: 'inherit' })
if (compiled.status !== 0) process.exit(compiled.status ?? 1)
await bundleAll()

mkdirSync(path.dirname(done), { recursive: true })
writeFileSync(done, `${startedAt.toISOString()}\n`)
// The launcher compares this file's time with the sources'.
utimesSync(done, startedAt, startedAt)

/** Removes what was emitted for sources that are gone; the compiler never does. */
function removeOrphans() {
  if (!existsSync(dist)) return
  for (const entry of readdirSync(dist, { recursive: true })) {
    const match = /^(?<name>.+?)(?:\.d\.ts|\.js)(?:\.map)?$/.exec(entry)
    if (match === null || entry.startsWith('browser') || entry.startsWith('.build')) continue
    const source = path.join(root, 'src', match.groups.name)
    if (!existsSync(`${source}.ts`) && !existsSync(`${source}.tsx`)) rmSync(path.join(dist, entry))
  }
  removeEmptyFolders(dist)
}

function removeEmptyFolders(folder) {
  for (const name of readdirSync(folder)) {
    const inner = path.join(folder, name)
    if (statSync(inner).isDirectory()) removeEmptyFolders(inner)
  }
  if (readdirSync(folder).length === 0) rmSync(folder, { recursive: true })
}
