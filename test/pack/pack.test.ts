// What a user gets: the packed package in an empty JavaScript and an empty TypeScript project. Nothing is fetched:
// the tarball is unpacked by hand, and its one dependency is copied from here.
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'

const root = path.resolve(import.meta.dirname, '../..')
const temporary = mkdtempSync(path.join(os.tmpdir(), 'syncline-pack-'))
let tarball = ''
let packed: readonly string[] = []

interface PackReport {
  readonly filename: string
  readonly files: readonly { readonly path: string }[]
}

interface Manifest {
  readonly exports: Record<string, string | { readonly types: string; readonly import: string }>
  readonly bin: Record<string, string>
  readonly dependencies: Record<string, string>
}

const manifest = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as Manifest

/** Runs a program; a failure shows what it printed. */
function run(program: string, args: readonly string[], cwd: string): string {
  try {
    return execFileSync(program, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string }
    throw new Error(`${program} ${args.join(' ')} failed:\n${stdout ?? ''}${stderr ?? ''}`, { cause: error })
  }
}

/** An empty project with the packed package installed, and the named development packages beside it. */
function project(name: string, development: readonly string[] = []): string {
  const folder = path.join(temporary, name)
  const modules = path.join(folder, 'node_modules')
  mkdirSync(path.join(modules, 'syncline'), { recursive: true })
  writeFileSync(path.join(folder, 'package.json'), JSON.stringify({ name, private: true, type: 'module' }))
  run('tar', ['-xzf', tarball, '-C', path.join(modules, 'syncline'), '--strip-components=1'], folder)
  for (const dependency of [...Object.keys(manifest.dependencies), ...development]) {
    cpSync(path.join(root, 'node_modules', dependency), path.join(modules, dependency), { recursive: true })
  }
  return folder
}

beforeAll(() => {
  const report = run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', temporary], root)
  const parsed = JSON.parse(report) as PackReport[] | Record<string, PackReport>
  const [result] = Object.values(parsed)
  if (result === undefined) throw new Error(`npm pack reported nothing: ${report}`)
  tarball = path.join(temporary, result.filename)
  packed = result.files.map(file => file.path)
})

afterAll(() => rmSync(temporary, { recursive: true, force: true }))

const doors = Object.entries(manifest.exports).flatMap(([door, target]) =>
  typeof target === 'string' ? [] : [{ door, name: door.replace(/^\./, 'syncline'), target }],
)

test('the tarball holds every door, the command, the licence and no tests', () => {
  const targets = Object.values(manifest.exports).flatMap(target =>
    typeof target === 'string' ? [target] : [target.types, target.import],
  )
  const wanted = [...targets, ...Object.values(manifest.bin)].map(file => file.replace(/^\.\//, ''))
  const missing = [...wanted, 'LICENSE', 'README.md'].filter(file => !packed.includes(file))
  expect(missing, 'not in the tarball').toEqual([])
  expect(packed.filter(file => /\.test\.|tsbuildinfo|dist\/\.build/.test(file))).toEqual([])
})

test('an empty JavaScript project imports every door', () => {
  const folder = project('js')
  const source = doors.map(({ name }) => `await import('${name}')`).join('\n')
  writeFileSync(path.join(folder, 'main.mjs'), `${source}\nconsole.log('imported')\n`)
  expect(run(process.execPath, ['main.mjs'], folder)).toContain('imported')
})

test('an empty strict TypeScript project type-checks against every door', () => {
  const folder = project('ts', ['@types/node', 'undici-types'])
  const imports = doors.map(({ name }, index) => `import * as door${index} from '${name}'`)
  const uses = doors.map((_, index) => `  door${index},`)
  writeFileSync(
    path.join(folder, 'main.ts'),
    [...imports, 'export const doors = [', ...uses, ']', ''].join('\n'),
  )
  const compilerOptions = {
    strict: true,
    module: 'nodenext',
    target: 'es2023',
    lib: ['es2023', 'dom'],
    types: ['node'],
    noEmit: true,
    skipLibCheck: false,
  }
  writeFileSync(path.join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['main.ts'] }))
  run(process.execPath, [path.join(root, 'node_modules/typescript/bin/tsc'), '-p', '.'], folder)
})
