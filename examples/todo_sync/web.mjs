// What the examples' routes have in common: answers, files, forms.
import { readFileSync } from 'node:fs'

const types = {
  js: 'text/javascript; charset=utf-8',
  mjs: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml; charset=utf-8',
  png: 'image/png',
  webmanifest: 'application/manifest+json; charset=utf-8',
}

const headers = {
  'cache-control': 'no-cache',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'same-origin',
}

export function html(response, body, status = 200) {
  response.writeHead(status, {
    ...headers,
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy':
      "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'",
  })
  response.end(body)
  return true
}

export function redirect(response, location, status = 308, more = {}) {
  response.writeHead(status, { location, ...more }).end()
  return true
}

/** @param {URL} url of a file */
export function asset(url) {
  return { type: types[url.pathname.split('.').at(-1)], body: readFileSync(url) }
}

/**
 * Public files of examples, under `/files/` and their places below `examples/`: so modules find each other in the browser
 * as they do here.
 * @param {Record<string, readonly string[]>} names of the files, by example
 */
export function files(names) {
  const places = Object.entries(names).flatMap(([example, list]) =>
    list.map(name => `${example}/public/${name}`),
  )
  return new Map(places.map(place => [`/files/${place}`, asset(new URL(`../${place}`, import.meta.url))]))
}

/** @param {{ type: string, body: Buffer } | undefined} found undefined: nothing of ours */
export function send(response, found) {
  if (found === undefined) return false
  response.writeHead(200, { ...headers, 'content-type': found.type }).end(found.body)
  return true
}

export async function readForm(request) {
  let text = ''
  for await (const chunk of request) {
    text += chunk
    if (text.length > 10_000) throw new Error('too long')
  }
  return new URLSearchParams(text)
}

/**
 * The same server under its other name on this machine. Two names are two origins: storage and cookies of their own, like
 * two people's browsers. Undefined where there is no other name.
 * @param {string} host the request's Host header
 */
export function secondBrowser(host) {
  const at = host.lastIndexOf(':')
  const [name, port] = at <= 0 || host.endsWith(']') ? [host, ''] : [host.slice(0, at), host.slice(at)]
  const other = { localhost: '127.0.0.1', '127.0.0.1': 'localhost' }[name]
  return other === undefined ? undefined : `http://${other}${port}`
}

/**
 * An example as its server and the start page run it. `answer(request, response)`: whether the request was for a page of
 * its own.
 */
export function application({ engine, db, file, answer }) {
  const sync = engine.routes()
  return {
    file,
    /** Whether the request was one of ours. */
    handle(request, response) {
      if (answer(request, response)) return true
      let ours = true
      sync(request, response, () => (ours = false))
      return ours
    },
    attach: server => engine.attach(server),
    async close() {
      await engine.close()
      db.close()
    },
  }
}
