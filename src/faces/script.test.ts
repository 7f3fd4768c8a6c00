import { expect, test } from 'vitest'
import { readScript } from './script.ts'
import type { ScriptOptions } from './script.ts'

/** A page with one tag of ours; `HTMLScriptElement` does not exist here, so the tag is found by its attributes. */
function read(dataset: Record<string, string>, src = 'https://example.org/app/api/sync/client.js?v=1') {
  const complaints: string[] = []
  const page = {
    currentScript: null,
    baseURI: 'https://example.org/app/page?x=1',
    querySelectorAll: () => [{ dataset, src }],
  }
  // reason: a document as far as the script looks at it
  const options = readScript(page as unknown as Document, message => complaints.push(message))
  // reason: there is a tag
  return { options: options as ScriptOptions, complaints }
}

test('A49 B042 names with commas, spaces ignored, each once', () => {
  expect(read({ syncEntities: 'users, posts,,comments ,users' }).options.entities).toEqual([
    'users',
    'posts',
    'comments',
  ])
  expect(read({ syncEntities: ' ' }).complaints).toEqual([expect.stringContaining('data-sync-entities')])
})

test('the routes are where the script is; below a path too, on a CDN not', () => {
  const served = read({ syncEntities: 'users' }).options
  expect(served.url).toBe('https://example.org/app/api/sync/')
  expect(served.lazy).toBe('https://example.org/app/api/sync/lazy.js')
  const cdn = read(
    { syncEntities: 'users' },
    'https://cdn.example/syncline/dist/browser/rhtmx-sync.js',
  ).options
  expect(cdn.url).toBe('https://example.org/api/sync')
  expect(cdn.lazy).toBe('https://cdn.example/syncline/dist/browser/rhtmx-lazy.js')
  expect(read({ syncEntities: 'users', syncUrl: '../sync' }).options.url).toBe('https://example.org/sync')
})

test('no address stops the script: one within the page, and a wrong data-sync-url', () => {
  const inlined = read({ syncEntities: 'users' }, '').options
  expect(inlined.url).toBe('https://example.org/api/sync')
  expect(inlined.lazy).toBe('https://example.org/api/sync/lazy.js')
  const wrong = read({ syncEntities: 'users', syncUrl: 'http://' })
  expect(wrong.options.url).toBe('https://example.org/app/api/sync/')
  expect(wrong.complaints).toEqual(['data-sync-url="http://" is no address'])
})

test('K17 A50 A51 WebSocket unless refused, silent unless asked', () => {
  expect(read({ syncEntities: 'users' }).options).toMatchObject({ websocket: true, debug: false })
  const said = read({ syncEntities: 'users', useWebsocket: 'false', debug: 'true' }).options
  expect(said).toMatchObject({ websocket: false, debug: true })
  expect(read({ syncEntities: 'users', useWebsocket: 'true', debug: 'false' }).options).toMatchObject({
    websocket: true,
    debug: false,
  })
})

test('K06 K07 the strategy in every documented spelling; an unknown one is reported and ignored', () => {
  for (const word of ['client-wins', 'client_wins', 'ClientWins', 'clientWins']) {
    expect(read({ syncEntities: 'users', conflictStrategy: word }).options.strategy).toBe('client-wins')
  }
  expect(read({ syncEntities: 'users', conflictStrategy: 'LastWriteWins' }).options.strategy).toBe(
    'last-write-wins',
  )
  const wrong = read({ syncEntities: 'users', conflictStrategy: 'newest' })
  expect(wrong.options.strategy).toBeNull()
  expect(wrong.complaints).toEqual(['data-conflict-strategy="newest" is unknown'])
  expect(read({ syncEntities: 'users' }).complaints).toEqual([])
})
