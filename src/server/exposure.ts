// Who can reach an engine that asks nobody for a password. On a loopback address that is this machine, and fine. On any
// other it is the network: said loudly, and refused in production unless `access: 'public'` says that it is meant.
import { SyncError } from '../core/index.ts'
import type { Settings } from './config.ts'
import type { UpgradeHandler } from './upgrade.ts'

/** A Node server, as far as its address and its end are concerned. */
export interface ExposedServer {
  readonly listening: boolean
  address(): { readonly address: string } | string | null
  once(event: 'listening', listener: () => void): unknown
  off(event: 'upgrade' | 'listening', listener: UpgradeHandler): unknown
  emit(event: 'error', error: Error): unknown
  close(): unknown
}

/**
 * Throws INVALID_CONFIG where the server listens already; one that begins to listen later is closed again and its
 * `error` event carries the same. The result stops the watch.
 */
export function watchExposure(server: ExposedServer, settings: Settings): () => void {
  if (settings.public || settings.authenticate !== undefined) return () => {}
  if (server.listening) {
    check(server, settings)
    return () => {}
  }
  const listening = (): void => {
    try {
      check(server, settings)
    } catch (error) {
      server.close()
      server.emit('error', error instanceof Error ? error : new Error(String(error)))
    }
  }
  server.once('listening', listening)
  return () => void server.off('listening', listening)
}

function check(server: ExposedServer, settings: Settings): void {
  const bound = server.address()
  // a pipe or a Unix socket is guarded by its file's permissions
  if (bound === null || typeof bound === 'string') return
  const { address } = bound
  const open = 'without authentication: whoever reaches it may read and write every synced table'
  if (settings.production && !isLoopback(address)) {
    throw new SyncError(
      'INVALID_CONFIG',
      `the server listens on ${address} ${open}; listen on 127.0.0.1, or say access: 'public' if that is meant`,
    )
  }
  settings.log.warn({ address }, `syncline: WARNING: serving ${open}`)
}

export function isLoopback(address: string): boolean {
  return address === '::1' || address === 'localhost' || /^(::ffff:)?127\./i.test(address)
}
