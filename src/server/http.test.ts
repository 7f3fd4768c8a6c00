import { describe, expect, test } from 'vitest'
import { SyncError } from '../core/index.ts'
import { isLoopback } from './exposure.ts'
import { acceptsGzip, errorAnswer, segmentsBelow } from './http.ts'

describe('the path below the routes', () => {
  test.each([
    ['/api/sync/users', ['users']],
    ['/api/sync', []],
    ['/api/sync/', []],
    ['/api/sync/a%2Fb', ['a/b']],
    ['/api/sync/%252e', ['%2e']],
    ['/api/sync/..', ['..']],
    ['/api/syncline/users', null],
    ['/api', null],
    ['', null],
  ])('%s', (path, segments) => {
    expect(segmentsBelow('/api/sync', path)).toEqual(segments)
  })

  test('a broken escape is no path', () => {
    expect(() => segmentsBelow('/api/sync', '/api/sync/%ff')).toThrow(SyncError)
  })
})

test.each([
  ['gzip', true],
  ['br, gzip;q=0.5', true],
  ['GZIP', true],
  ['gzip;q=0', false],
  ['gzip;q=0.000, br', false],
  ['br', false],
  ['xgzip', false],
  [undefined, false],
])('accept-encoding %s: %s', (header, accepted) => {
  expect(acceptsGzip(header)).toBe(accepted)
})

test('errors answer with their status, and say when to come again', () => {
  const busy = errorAnswer(new SyncError('OVERLOADED', 'later', { retryAfterMs: 2500 }))
  expect(busy).toMatchObject({ status: 503, headers: { 'retry-after': '3' } })
  const unknown = errorAnswer(new Error('a secret of the database'))
  expect(unknown.status).toBe(500)
  expect(JSON.stringify(unknown.body)).not.toContain('secret')
})

test.each([
  ['127.0.0.1', true],
  ['127.9.9.9', true],
  ['::1', true],
  ['::ffff:127.0.0.1', true],
  ['0.0.0.0', false],
  ['::', false],
  ['192.168.1.5', false],
])('%s is this machine: %s', (address, loopback) => {
  expect(isLoopback(address)).toBe(loopback)
})
