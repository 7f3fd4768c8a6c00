import { expect, test } from 'vitest'
import type { ConnectionState } from './words.ts'
import { wayTo, wordOf } from './words.ts'

const at = (
  state: Parameters<typeof wordOf>[0]['state'],
  attempt = 0,
  transport: 'websocket' | 'sse' | 'long-poll' = 'websocket',
  trying: 'websocket' | null = null,
) => ({
  trying,
  state,
  attempt,
  transport,
})

test('A03 five words, and `connecting` is the first attempt only', () => {
  expect(wordOf(at('idle'), false)).toBe('disconnected')
  expect(wordOf(at('connecting'), false)).toBe('connecting')
  expect(wordOf(at('greeting'), false)).toBe('connecting')
  expect(wordOf(at('ready'), false)).toBe('connected')
  expect(wordOf(at('ready', 0, 'sse'), false)).toBe('fallback_sse')
  expect(wordOf(at('waiting', 1), true)).toBe('reconnecting')
  expect(wordOf(at('connecting', 1), false)).toBe('reconnecting')
  expect(wordOf(at('connecting'), true)).toBe('reconnecting')
  expect(wordOf(at('stopped'), true)).toBe('disconnected')
})

test('A09 after ten attempts WebSocket counts as given up, not earlier', () => {
  expect(wordOf(at('waiting', 10), true)).toBe('reconnecting')
  expect(wordOf(at('connecting', 10), true)).toBe('reconnecting')
  expect(wordOf(at('waiting', 11), true)).toBe('fallback_sse')
})

test('K25 data that flows over another transport changes no word before the attempts are spent', () => {
  expect(wordOf(at('ready', 0, 'sse', 'websocket'), false)).toBe('connecting')
  expect(wordOf(at('ready', 1, 'sse', 'websocket'), false)).toBe('reconnecting')
  expect(wordOf(at('ready', 10, 'long-poll', 'websocket'), true)).toBe('reconnecting')
  expect(wordOf(at('ready', 11, 'sse', 'websocket'), true)).toBe('fallback_sse')
  expect(wordOf(at('ready', 0, 'long-poll'), true)).toBe('fallback_sse')
})

test('K09 a drop is told as disconnected, then reconnecting', () => {
  const ways: [ConnectionState, ConnectionState, ConnectionState[]][] = [
    ['connected', 'connected', []],
    ['connected', 'reconnecting', ['disconnected', 'reconnecting']],
    ['fallback_sse', 'reconnecting', ['disconnected', 'reconnecting']],
    ['connecting', 'reconnecting', ['disconnected', 'reconnecting']],
    ['disconnected', 'reconnecting', ['reconnecting']],
    ['reconnecting', 'connected', ['connected']],
    ['connected', 'disconnected', ['disconnected']],
    ['disconnected', 'connecting', ['connecting']],
  ]
  for (const [from, to, way] of ways) expect(wayTo(from, to)).toEqual(way)
})
