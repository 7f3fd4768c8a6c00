#!/usr/bin/env node
// `syncline`: the engine over an existing SQLite file, without writing a server. The version check comes before
// anything is loaded that an older Node does not have.

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < 22 || (major === 22 && minor < 18)) {
  console.error(`syncline needs Node 22.18 or newer; this is ${process.versions.node}`)
  process.exit(1)
}

// Node warns that its SQLite module is experimental; users of a command cannot do anything about it
process.removeAllListeners('warning')

const { run } = await import('./run.ts')
process.exitCode = await run(process.argv.slice(2))
