// What a client is told when it has said hello.
import type { Welcome } from '../core/index.ts'
import { protocolVersion } from '../core/index.ts'
import type { EngineParts } from './engine-parts.ts'
import type { Views } from './views.ts'

/** `last`: the client's last mutation that was processed. */
export async function welcome(
  parts: EngineParts,
  user: string,
  last: number,
  views: Views,
): Promise<Welcome> {
  const { epoch, seq } = await parts.store.head()
  return {
    type: 'welcome',
    protocol: protocolVersion,
    user,
    epoch,
    head: seq,
    last,
    server_time: parts.env.now(),
    max_payload: parts.limits.maxPayload,
    entities: views.shapes,
  }
}
