// Node's requests as applications are asked about them: with the Headers and the URL of the web.
import type { IncomingMessage } from 'node:http'
import type { AuthRequest } from './user.ts'

/** `target`: the path that was asked for, where middleware may have shortened `request.url`. */
export function authRequest(request: IncomingMessage, target = request.url ?? '/'): AuthRequest {
  const { remoteAddress } = request.socket
  const scheme = 'encrypted' in request.socket ? 'https' : 'http'
  const path = target.startsWith('/') ? target : '/'
  const url = URL.parse(`${scheme}://${request.headers.host ?? 'localhost'}${path}`)
  return {
    headers: headersOf(request),
    url: url ?? new URL(`${scheme}://localhost/`),
    ...(remoteAddress === undefined ? {} : { remoteAddress }),
  }
}

function headersOf({ headers: all }: IncomingMessage): Headers {
  const headers = new Headers()
  for (const [name, value] of Object.entries(all)) {
    // those of HTTP/2 that begin with a colon are none
    if (value === undefined || name.startsWith(':')) continue
    for (const one of [value].flat()) headers.append(name, one)
  }
  return headers
}
