// Noticing commits of others. `PRAGMA data_version` says that another connection committed; the file system's events are a
// hint to look at once, and may come before the commit can be seen, so one looks again shortly after.
import { watch as watchFiles } from 'node:fs'
import { basename, dirname } from 'node:path'
import type { ServerEnv } from '../env.ts'

/** Milliseconds between looks. */
export const idlePoll = 100
const busyPoll = 10
const busyFor = 1_000
const hintDelays = [0, 1, 5, 20] as const

/** Calls `look` often enough; `look` says whether something was new. The result stops it. */
export function startWatching(env: ServerEnv, path: string | null, look: () => boolean): () => void {
  let stopped = false
  let cancelPoll = (): void => {}
  let cancelHint = (): void => {}
  let activeUntil = 0
  const check = (): boolean => {
    const found = !stopped && look()
    if (found) activeUntil = env.now() + busyFor
    return found
  }
  const poll = (): void => {
    check()
    if (!stopped) cancelPoll = env.after(env.now() < activeUntil ? busyPoll : idlePoll, poll)
  }
  let hinted = false
  const hint = (step = 0): void => {
    const delay = hintDelays[step]
    if (stopped || delay === undefined) {
      hinted = false
      return
    }
    hinted = true
    cancelHint = env.after(delay, () => {
      if (check()) {
        hinted = false
        cancelPoll()
        cancelPoll = env.after(busyPoll, poll)
      } else hint(step + 1)
    })
  }
  const stopFiles = path === null ? (): void => {} : watchDirectory(path, () => hinted || hint())
  poll()
  return () => {
    stopped = true
    cancelPoll()
    cancelHint()
    stopFiles()
  }
}

function watchDirectory(path: string, changed: () => void): () => void {
  const file = basename(path)
  try {
    const watcher = watchFiles(dirname(path), { persistent: false }, (_, name) => {
      if (name === null || name.startsWith(file)) changed()
    })
    // a directory that cannot be watched (any more) is polled
    watcher.on('error', () => watcher.close())
    return () => watcher.close()
  } catch {
    return () => {}
  }
}
