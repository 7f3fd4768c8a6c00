// Servers and clients run in processes of their own, so that neither spends the other's time. A process offers calls
// by name; whoever started it calls them over Node's IPC.
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** Starts a module as a process. `BENCH_PROF=1` leaves a CPU profile of it in the working directory. */
export function startProcess(url, { execArgv = [], env = {} } = {}) {
  const file = fileURLToPath(url)
  const profile = process.env['BENCH_PROF'] === undefined ? [] : ['--cpu-prof', '--cpu-prof-interval=500']
  const child = fork(file, [], { execArgv: [...execArgv, ...profile], env: { ...process.env, ...env } })
  const waiting = new Map()
  let calls = 0
  child.on('message', ({ call, result, error }) => {
    const { resolve, reject } = waiting.get(call)
    waiting.delete(call)
    if (error === undefined) resolve(result)
    else reject(new Error(`${file}: ${error}`))
  })
  const ended = new Promise(resolve => child.once('exit', resolve))
  void ended.then(code => {
    for (const { reject } of waiting.values()) reject(new Error(`${file} ended with ${code}`))
  })
  return {
    call: (name, ...args) =>
      new Promise((resolve, reject) => {
        const call = ++calls
        waiting.set(call, { resolve, reject })
        child.send({ call, name, args })
      }),
    async stop() {
      child.disconnect()
      const timer = setTimeout(() => child.kill('SIGKILL'), 5000)
      await ended
      clearTimeout(timer)
    },
  }
}

/** In the started process: what it can be asked for. It ends when its parent hangs up. */
export function answerCalls(handlers) {
  process.on('message', ({ call, name, args }) => {
    Promise.resolve()
      .then(() => handlers[name](...args))
      .then(
        result => process.send({ call, result }),
        error => process.send({ call, error: error.stack }),
      )
  })
  process.on('disconnect', () => process.exit(0))
}
