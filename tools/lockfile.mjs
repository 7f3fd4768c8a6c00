// `npm ci` refuses a lock file that names an optional platform package without an entry for it. That happens when
// the registry that wrote the lock lacked the package. Pin an older version of what `npm install` just brought.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { root } from './root.mjs'

const { packages } = JSON.parse(readFileSync(path.join(root, 'package-lock.json'), 'utf8'))

const problems = []
for (const [place, entry] of Object.entries(packages)) {
  for (const name of Object.keys(entry.optionalDependencies ?? {})) {
    if (!isReachable(place, name)) problems.push(`${place || 'the root'} wants ${name}, which has no entry`)
  }
  if (/^(?:https?|git)/.test(entry.resolved ?? '')) problems.push(`${place} names the host it came from`)
}

if (problems.length > 0) {
  console.error(
    `package-lock.json: ${problems.length} problems\n${problems.map(line => `  ${line}`).join('\n')}`,
  )
  process.exit(1)
}
console.log(`package-lock.json: ${Object.keys(packages).length} entries, nothing missing`)

/** Looks for a package the way Node does: in node_modules of the place itself, then of every folder above. */
function isReachable(place, name) {
  for (let folder = place; ;) {
    if (packages[`${folder ? `${folder}/` : ''}node_modules/${name}`] !== undefined) return true
    if (folder === '') return false
    const above = folder.lastIndexOf('node_modules/')
    folder = above <= 0 ? '' : folder.slice(0, above - 1)
  }
}
