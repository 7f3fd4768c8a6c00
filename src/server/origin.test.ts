import { expect, test } from 'vitest'
import { checkOrigin } from './origin.ts'

test('[S2] a page may sync with the host it came from, and with those that allow it by name', () => {
  const passes = (
    origin: string | undefined,
    host: string | undefined,
    allowed: readonly string[] | '*' = [],
  ): boolean => {
    try {
      checkOrigin(origin, host, allowed)
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
