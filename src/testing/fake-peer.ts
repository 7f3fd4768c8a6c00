import type { Peer } from '../server/index.ts'

/** A wire with room on it, on which nothing happens but what a test says. */
export const fakePeer = (kind: Peer['kind'], says: Partial<Peer> = {}): Peer => ({
  kind,
  write() {},
  buffered: () => 0,
  pause() {},
  resume() {},
  probe() {},
  close() {},
  ...says,
})
