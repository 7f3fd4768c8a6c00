import { strategyOf } from './strategy.ts'
import { expect, test } from 'vitest'
import { fieldScript, findTag, optionsOf, rowScript } from './script.ts'
import type { InitOptions } from './script.ts'

const page = { baseURI: 'https://example.org/app/page?x=1' } as Document

function read(
  dataset: Partial<InitOptions>,
  src = 'https://example.org/app/api/sync/client.js?v=1',
  kind = rowScript,
) {
  const complaints: string[] = []
  const options = optionsOf({ dataset, src }, page, 'abc', message => complaints.push(message), kind)
  return { options, complaints }
}

test('[F9] A49 the tag: the one that runs, else the last of ours that names tables', () => {
  const tag = (src: string) => ({ src, dataset: { syncEntities: 'users' } })
  const tags = [
    tag('https://example.org/api/sync/client.js'),
    tag('/api/sync/client.0123456789abcdef.js'),
    tag('/other.js'),
  ]
  const running = tag('')
  // reason: a document as far as it is looked at
  const find = (currentScript: object | null) =>
    findTag({ currentScript, querySelectorAll: () => tags } as unknown as Document, rowScript)
  expect(find(running)).toBe(running)
  expect(find(null)).toBe(tags[1])
  expect(find({ dataset: {} })).toBe(tags[1])
})

test('A49 B042 names with commas, spaces ignored, each once', () => {
  expect(read({ syncEntities: 'users, posts,,comments ,users' }).options.entities).toEqual([
    'users',
    'posts',
    'comments',
  ])
  expect(read({ syncEntities: ' ' }).complaints).toEqual([expect.stringContaining('data-sync-entities')])
})

test('[F9] X36 the routes are where the script is; below a path too, on a CDN not', () => {
  const served = read({ syncEntities: 'users' }).options
  expect(served.url).toBe('https://example.org/app/api/sync/')
  expect(served.lazy).toBe('https://example.org/app/api/sync/lazy.abc.js')
  const hashed = 'https://example.org/app/api/sync/client.0123456789abcdef.js'
  expect(read({ syncEntities: 'users' }, hashed).options).toEqual(served)
  const cdn = read(
    { syncEntities: 'users' },
    'https://cdn.example/syncline/dist/browser/rhtmx-sync.js',
  ).options
  expect(cdn.url).toBe('https://example.org/api/sync')
  expect(cdn.lazy).toBe('https://cdn.example/syncline/dist/browser/rhtmx-lazy.js?v=abc')
  expect(read({ syncEntities: 'users', syncUrl: '../sync' }).options.url).toBe('https://example.org/sync')
})

test('no address stops the script: one within the page, and a wrong data-sync-url', () => {
  const inlined = read({ syncEntities: 'users' }, '').options
  expect(inlined.url).toBe('https://example.org/api/sync')
  expect(inlined.lazy).toBe('https://example.org/api/sync/lazy.abc.js')
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
    longPoll: false,
    debug: false,
  })
})

test('K06 K07 the strategy in every documented spelling; an unknown one is reported and ignored', () => {
  const complaints: string[] = []
  const read = (text: string, kind: 'entity' | 'field' = 'entity') =>
    strategyOf(text, kind, message => complaints.push(message))
  for (const word of ['client-wins', 'client_wins', 'ClientWins', 'clientWins'])
    expect(read(word)).toBe('client-wins')
  expect(read('LastWriteWins')).toBe('last-write-wins')
  expect([read(''), complaints]).toEqual([null, []])
  expect([read('newest'), read('mine', 'field')]).toEqual([null, null])
  expect(complaints).toEqual([
    'data-conflict-strategy="newest" is unknown',
    'data-field-strategy="mine" is unknown',
  ])
})

test('[F9] X36 a program says the same with the names of dataset', () => {
  const options = { syncEntities: ['users', 'posts'], syncUrl: '/sync', debug: true, autoRefresh: true }
  const made = read(
    { ...options, useWebsocket: false, longPoll: true, syncUser: 'ada', syncWhere: { users: { id: 1 } } },
    '',
  ).options
  expect(made).toEqual({
    url: 'https://example.org/sync',
    lazy: 'https://example.org/sync/lazy.abc.js',
    entities: ['users', 'posts'],
    websocket: false,
    longPoll: true,
    strategyText: '',
    debug: true,
    autoRefresh: true,
    user: 'ada',
    where: { users: { id: 1 } },
    autoConnect: true,
  })
})

test('[A7] C16 a page that knows that nobody is signed in says so: the server is not asked', () => {
  expect(read({ syncEntities: 'users', syncUser: '' }).options).toMatchObject({
    user: null,
    autoConnect: false,
  })
  expect(read({ syncEntities: 'users' }).options).toMatchObject({ user: null, autoConnect: true })
})

test('[V9] a tag says in JSON which rows are wanted, and what is none is said and stops nothing', () => {
  const said = read({ syncEntities: 'users', syncWhere: '{"users":{"id":{"lt":9}}}' })
  expect([said.options.where, said.complaints]).toEqual([{ users: { id: { lt: 9 } } }, []])
  const wrong = read({ syncEntities: 'users', syncWhere: 'id = 1' })
  expect([wrong.options.where, wrong.complaints]).toEqual([{}, ['data-sync-where="id = 1" is no JSON']])
})

test('T-F03 the script of fields has names and an attribute of its own', () => {
  const tags = ['/api/sync/client.js', '/api/sync/field-client.0123456789abcdef.js', '/x/rhtmx-field-sync.js']
  const all = tags.map(src => ({ src, dataset: { syncEntities: 'users' } }))
  // reason: a document as far as it is looked at
  const document = { currentScript: null, querySelectorAll: () => all } as unknown as Document
  expect(findTag(document, fieldScript)?.src).toBe('/x/rhtmx-field-sync.js')
  expect(findTag(document, rowScript)?.src).toBe('/api/sync/client.js')
  const src = 'https://example.org/app/api/sync/field-client.0123456789abcdef.js'
  const told = { syncEntities: 'users', conflictStrategy: 'server-wins', fieldStrategy: 'KeepBoth' }
  const { options } = read(told, src, fieldScript)
  expect(options).toMatchObject({ url: 'https://example.org/app/api/sync/', strategyText: 'KeepBoth' })
  expect(options.lazy).toBe('https://example.org/app/api/sync/lazy.abc.js')
  expect(read(told).options.strategyText).toBe('server-wins')
})
