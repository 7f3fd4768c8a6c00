import { expect, test } from 'vitest'
import { checkOrigin, corsHeaders } from './origin.ts'

test('[A2] X50 a page may sync with the host it came from, and with those that allow it by name', () => {
  const passes = (
    origin: string | undefined,
    host: string | undefined,
    allowed: readonly string[] | '*' = [],
  ): boolean => {
    try {
      checkOrigin(origin, host, { origins: allowed, hosts: '*' })
      return true
    } catch {
      return false
    }
  }
  expect(passes(undefined, 'app.example')).toBe(true)
  expect(passes('https://app.example', 'app.example')).toBe(true)
  expect(passes('http://localhost:3000', 'LOCALHOST:3000')).toBe(true)
  expect(passes('https://evil.example', 'app.example')).toBe(false)
  expect(passes('https://app.example.evil.example', 'app.example')).toBe(false)
  expect(passes('https://app.example@evil.example', 'evil.example')).toBe(false)
  expect(passes('http://localhost:3001', 'localhost:3000')).toBe(false)
  expect(passes('null', 'app.example')).toBe(false)
  expect(passes('https://app.example', undefined)).toBe(false)
  expect(passes('https://www.example', 'app.example', ['https://www.example'])).toBe(true)
  expect(passes('https://evil.example', 'app.example', '*')).toBe(true)
})

test('[A2] a server that asks nobody who they are is asked as localhost or by its address', () => {
  const passes = (host: string | undefined, hosts: readonly string[] | '*' | 'local' = 'local'): boolean => {
    try {
      checkOrigin(host === undefined ? undefined : `http://${host}`, host, { origins: [], hosts })
      return true
    } catch {
      return false
    }
  }
  for (const host of [
    'localhost',
    'LOCALHOST:3000',
    'app.localhost:1',
    '127.0.0.1:80',
    '192.168.0.7',
    '[::1]:3000',
  ])
    expect([host, passes(host)]).toEqual([host, true])
  for (const host of [
    'evil.example',
    'evil.example:3000',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    'x',
  ])
    expect([host, passes(host)]).toEqual([host, false])
  expect(passes(undefined)).toBe(true)
  expect(passes('evil.example', '*')).toBe(true)
  expect(passes('App.example:443', ['app.example'])).toBe(true)
  expect(passes('localhost', ['app.example'])).toBe(false)
})

test('[A2] CORS: nothing by default, cookies only for those that are named', () => {
  const headers = (origin: string | undefined, origins: readonly string[] | '*') =>
    corsHeaders(origin, 'app.example', { origins, hosts: '*' })
  expect(headers(undefined, '*')).toEqual({})
  expect(headers('https://app.example', '*')).toEqual({})
  expect(headers('https://www.example', [])).toEqual({})
  expect(headers('https://www.example', '*')).toEqual({
    'access-control-allow-origin': 'https://www.example',
  })
  expect(headers('https://www.example', ['https://www.example'])).toEqual({
    'access-control-allow-origin': 'https://www.example',
    'access-control-allow-credentials': 'true',
  })
})
