// The pages of a measured server, for the questions that a browser answers.
import { readFile } from 'node:fs/promises'
import path from 'node:path'

/** Answers `/page/<file>` from the folder of page scripts, and `/page` with `html`; false: neither. */
export function answerFile(html, request, response) {
  const match = /^\/page(?:\/(?<name>\w+\.js))?(?:\?|$)/.exec(request.url)
  if (match === null) return false
  const { name } = match.groups
  response.setHeader('content-type', name === undefined ? 'text/html' : 'text/javascript')
  if (name === undefined) response.end(html)
  else void readFile(path.join(import.meta.dirname, '../pages', name)).then(text => response.end(text))
  return true
}
