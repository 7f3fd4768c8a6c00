import { expect, test } from 'vitest'
import { columnValue } from './fields.ts'

const of = (kind: Parameters<typeof columnValue>[0], ...texts: string[]) => columnValue(kind, texts, 0)

test('[F6] texts become what their column holds; what does not fit goes as it was typed', () => {
  expect(of('integer', '42')).toBe(42)
  expect(of('integer', ' 7 ')).toBe(7)
  expect(of('integer', '')).toBeNull()
  expect(of('integer', '9007199254740993')).toBe('9007199254740993')
  expect(of('integer', 'seven')).toBe('seven')
  expect(of('integer', 'on')).toBe(1)
  expect(of('integer', 'false')).toBe(0)
  expect(of('real', '2.50')).toBe(2.5)
  expect(of('real', '2,50')).toBe('2,50')
  expect(of('boolean', 'on')).toBe(true)
  expect(of('boolean', '0')).toBe(false)
  expect(of('boolean', '')).toBeNull()
  expect(of('text', '')).toBe('')
  expect(of('text', ' 42 ')).toBe(' 42 ')
  expect(of('any', '42')).toBe('42')
  expect(of('json', '{"a":[1]}')).toEqual({ a: [1] })
  expect(of('json', 'plain words')).toBe('plain words')
  expect(of('json', '')).toBeNull()
})

test('[F6] checkboxes: an unticked one is a value, a hidden field before one is its default, several make a list', () => {
  expect(columnValue('boolean', [], 1)).toBe(false)
  expect(columnValue('integer', [], 1)).toBe(0)
  expect(columnValue('integer', ['0', '1'], 1)).toBe(1)
  expect(columnValue('json', ['red', 'blue'], 3)).toEqual(['red', 'blue'])
  expect(columnValue('json', [], 3)).toEqual([])
  expect(columnValue('text', [], 0)).toBeUndefined()
  expect(columnValue('text', [], 1)).toBe('')
})

test('[F7] a file cannot wait; an empty file field is nothing', () => {
  expect(() => columnValue('blob', [new File(['x'], 'x.txt')], 0)).toThrow('files')
  expect(columnValue('blob', [new File([], '')], 0)).toBeUndefined()
})
