// Checks what the linter cannot say: which room of src/ may import which, that a room is entered only by its door,
// that every suppression carries its reason, and that nobody makes a date out of nothing. `npm run walls`.
import { readdirSync, readFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import path from 'node:path'
import { parseAst } from 'rolldown/parseAst'
import { root } from './root.mjs'

/** What a room may import: other rooms (by their doors), and packages. `types` lends only its types. */
const rooms = {
  core: {},
  client: { rooms: ['core'] },
  server: { rooms: ['core'], packages: ['node:', 'ws'] },
  faces: { rooms: ['core', 'client'] },
  react: { rooms: ['core', 'client', 'faces'], packages: ['react'] },
  adapters: { rooms: ['core'], types: ['server'], packages: ['node:'] },
  cli: { rooms: ['core', 'server'], packages: ['node:'] },
  testing: { rooms: ['core', 'client', 'server'], packages: ['node:'] },
}

/** The files by which a room may be entered: the sources of the package's exports. */
const { exports } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'))
const doors = new Set(
  Object.values(exports)
    .flatMap(door => (typeof door === 'string' ? [] : [door.import]))
    .map(file => file.replace('./dist/', 'src/').replace(/\.js$/, '.ts')),
)
for (const room of Object.keys(rooms)) doors.add(`src/${room}/index.ts`)

const isTest = file => /\.(?:test|spec)\.[a-z]+$/.test(file)

/**
 * The violations in one file.
 * @param {string} file its path from the root, with forward slashes
 * @param {string} text
 * @returns {string[]}
 */
export function check(file, text) {
  const program = parseAst(text, { lang: languageOf(file) }, file)
  const lines = text.split('\n')
  const starts = lineStarts(text)
  const problems = []
  const report = (line, message) => problems.push(`${file}:${line}: ${message}`)

  const strict = file.startsWith('src/') && !isTest(file)
  const reasonsMissing = new Set()
  visit(program, node => {
    const imported = importOf(node)
    if (imported !== null) {
      const message = strict ? roomProblem(file, imported) : doorProblem(file, imported)
      if (message !== null) report(lineOf(starts, node.start), message)
    }
    if (!strict) return
    if (readsClock(file, node))
      report(lineOf(starts, node.start), 'take the time from the environment (env.ts)')
    const suppression = suppressionOf(node)
    if (suppression === null) return
    const last = lineOf(starts, node.end)
    const first = lineOf(starts, node.start)
    if (!hasReason(lines, first, last)) reasonsMissing.add(`${last}|${suppression}`)
  })
  for (const missing of reasonsMissing) {
    const [line, suppression] = missing.split('|')
    report(line, `${suppression} needs "// reason: ..." on the same or the previous line`)
  }
  if (strict) {
    for (const [index, line] of lines.entries()) {
      const found =
        /(?:\/\/|\/\*).*?(?<what>(?:eslint|oxlint)-disable|@ts-(?:ignore|expect-error|nocheck))/.exec(line)
      if (found === null || hasReason(lines, index + 1, index + 1)) continue
      report(index + 1, `${found.groups.what} needs "// reason: ..." on the same or the previous line`)
    }
  }
  return problems
}

/** What an import, an export from, or an import type names; null for any other node. */
function importOf(node) {
  switch (node.type) {
    case 'ImportDeclaration':
      return { name: node.source.value, typeOnly: node.importKind === 'type' }
    case 'ExportNamedDeclaration':
    case 'ExportAllDeclaration':
      return node.source ? { name: node.source.value, typeOnly: node.exportKind === 'type' } : null
    case 'ImportExpression':
      return { name: node.source.value ?? '(computed)', typeOnly: false }
    case 'TSImportType':
      return { name: (node.source ?? node.argument?.literal)?.value ?? '(computed)', typeOnly: true }
    default:
      return null
  }
}

/** Why a source file of a room may not import this, or null. */
function roomProblem(file, { name, typeOnly }) {
  const room = roomOf(file)
  const rules = rooms[room]
  if (rules === undefined) return `src/${room} is not a room: add it to tools/walls.mjs`
  if (!name.startsWith('.')) {
    const full = builtinModules.includes(name) ? `node:${name}` : name
    const allowed = (rules.packages ?? []).some(own =>
      own === 'node:' ? full.startsWith(own) : full === own || full.startsWith(`${own}/`),
    )
    return allowed ? null : `${room} may not import '${name}'`
  }
  const target = path.posix.join(path.posix.dirname(file), name)
  if (!target.startsWith('src/')) return `'${name}' lies outside src/`
  if (isTest(target)) return `sources may not import tests ('${name}')`
  const other = roomOf(target)
  if (other === room) return null
  const lent = typeOnly && (rules.types ?? []).includes(other)
  if (!lent && !(rules.rooms ?? []).includes(other)) return `${room} may not import ${other} ('${name}')`
  if (!doors.has(target)) return `a room is entered by its index.ts, not by '${name}'`
  return null
}

/** Tests in test/, benchmarks and examples use the package by its name; unit tests are free. */
function doorProblem(file, { name }) {
  if (!/^(?:test|bench|examples)\//.test(file) || !name.startsWith('.')) return null
  const target = path.posix.join(path.posix.dirname(file), name)
  return /^(?:src|dist)\//.test(target) ? `import 'syncline/...' by name instead of '${name}'` : null
}

/** How the node silences the compiler; null when it does not. */
function suppressionOf(node) {
  switch (node.type) {
    case 'TSAsExpression':
    case 'TSTypeAssertion': {
      const type = node.typeAnnotation
      const isConst = type.type === 'TSTypeReference' && type.typeName.name === 'const'
      return isConst ? null : '"as"'
    }
    case 'TSNonNullExpression':
      return '"!"'
    case 'VariableDeclarator':
    case 'PropertyDefinition':
      return node.definite === true ? '"!"' : null
    default:
      return null
  }
}

/** `new Date()` reads the clock unseen by the linter's rules; `new Date(ms)` does not. */
function readsClock(file, node) {
  if (!/^src\/(?:client|server)\//.test(file) || file.endsWith('/env.ts')) return false
  return node.type === 'NewExpression' && node.callee.name === 'Date' && node.arguments.length === 0
}

function hasReason(lines, first, last) {
  return lines.slice(Math.max(0, first - 2), last).some(line => /\/\/ reason: \S/.test(line))
}

const roomOf = file => file.split('/')[1]

function languageOf(file) {
  if (file.endsWith('.tsx')) return 'tsx'
  return file.endsWith('.ts') ? 'ts' : 'js'
}

function visit(node, see) {
  if (Array.isArray(node)) {
    for (const item of node) visit(item, see)
  } else if (node !== null && typeof node === 'object') {
    if (typeof node.type === 'string') see(node)
    for (const value of Object.values(node)) visit(value, see)
  }
}

function lineStarts(text) {
  const starts = [0]
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
  return starts
}

function lineOf(starts, offset) {
  let line = starts.length
  while (line > 1 && starts[line - 1] > offset) line -= 1
  return line
}

function sources() {
  return ['src', 'test', 'bench', 'examples'].flatMap(folder => filesIn(folder))
}

function filesIn(folder) {
  let entries
  try {
    entries = readdirSync(path.join(root, folder), { withFileTypes: true })
  } catch {
    return [] // a folder that nobody has made yet
  }
  return entries.flatMap(entry => {
    const file = `${folder}/${entry.name}`
    if (entry.isDirectory()) return entry.name === 'node_modules' ? [] : filesIn(file)
    return /\.(?:ts|tsx|mjs|js)$/.test(file) ? [file] : []
  })
}

if (process.argv[1] === import.meta.filename) {
  const files = sources()
  const problems = files.flatMap(file => check(file, readFileSync(path.join(root, file), 'utf8')))
  for (const problem of problems) console.error(problem)
  console.log(`walls: ${files.length} files, ${problems.length} problems`)
  if (problems.length > 0) process.exit(1)
}
