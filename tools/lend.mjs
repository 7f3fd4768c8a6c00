// The second script works on the state of the first, and with its functions: what is in both is bundled once, and handed
// over as `window.rhtmxLent`. Which functions those are is found out here, so that nobody has to keep a list.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { parseAst } from 'rolldown/parseAst'

/** The place of the list in the first script. */
const counter = /[\\/]faces[\\/]lent\.ts$/

/**
 * For the second script: each module among `modules`, those of the first, is taken from there. `used` finds in the
 * readable form of the bundle what it takes; with that as `taken`, it is what the bundle begins with.
 */
export function borrowing(modules, taken = null) {
  // a door is no module of its own: what it leads to is
  const shared = modules.filter(id => id.endsWith('.ts') && !/[\\/](index|entry-[\w-]+)\.ts$/.test(id)).sort()
  const names = new Map()
  const texts = new Map()
  for (const id of shared) {
    const own = exportsOf(id).map(name => [name, unusedName(names, name)])
    for (const [name, lent] of own) names.set(lent, { id, name })
    const isTaken = ([, lent]) => taken === null || taken.some(one => one.lent === lent)
    const list = own.filter(isTaken).map(([name, lent]) => `${lent} as ${name}`)
    // the doors name these too, and nobody asks for them
    const rest = own.filter(one => !isTaken(one)).map(([name]) => `export const ${name} = null`)
    texts.set(id, [`export { ${list.join(', ')} } from 'borrowed'`, ...rest].join('\n'))
  }
  if (taken !== null) texts.set('borrowed', `export const ${listOf(taken)} = rhtmxLent`)
  return {
    plugin: {
      name: 'borrow',
      resolveId: id => (id === 'borrowed' ? { id, external: taken === null } : null),
      load: id => (texts.has(id) ? { code: texts.get(id), moduleType: 'js', moduleSideEffects: true } : null),
    },
    used(code) {
      const found = new Set(Array.from(code.matchAll(/\bborrowed\.([\w$]+)/g), ([, name]) => name))
      return [...found].map(lent => ({ lent, ...names.get(lent) }))
    },
  }
}

/** For the first script: `used` is what it lends, in this order. */
export function lending(used) {
  const imports = used.map(({ lent, id, name }) => `import { ${name} as ${lent} } from ${JSON.stringify(id)}`)
  const code = `${imports.join('\n')}\nexport const lent = ${listOf(used)}`
  return { name: 'lend', load: id => (counter.test(id) ? { code, moduleType: 'js' } : null) }
}

const listOf = used => `[${used.map(({ lent }) => lent).join(', ')}]`

function unusedName(names, name) {
  let free = name
  while (names.has(free)) free += '_'
  return free
}

/** The values that a module exports by name. */
function exportsOf(id) {
  const { body } = parseAst(readFileSync(id, 'utf8'), { lang: 'ts' }, path.basename(id))
  return body.flatMap(({ type, exportKind, declaration, specifiers = [] }) => {
    if (type !== 'ExportNamedDeclaration' || exportKind === 'type') return []
    const declared = declaration?.declarations ?? (declaration?.id ? [declaration] : [])
    return [
      ...declared.filter(({ type: kind }) => !kind.startsWith('TS')).map(({ id: { name } }) => name),
      ...specifiers.filter(one => one.exportKind !== 'type').map(one => one.exported.name),
    ]
  })
}
