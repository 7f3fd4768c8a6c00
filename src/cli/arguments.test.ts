import { expect, test } from 'vitest'
import { parseCommand, UsageError } from './arguments.ts'

test('serve has safe defaults: this machine only, every table', () => {
  expect(parseCommand(['serve', 'app.db'])).toEqual({
    name: 'serve',
    file: 'app.db',
    entities: null,
    port: 3000,
    host: '127.0.0.1',
    public: false,
    retentionDays: 7,
    debug: false,
  })
})

test('every option of serve', () => {
  const line =
    'serve app.db --entities users,log=events --port 0 --host 0.0.0.0 --access public --debug --retention-days 30'
  expect(parseCommand(line.split(' '))).toEqual({
    name: 'serve',
    file: 'app.db',
    entities: [
      { name: 'users', table: null },
      { name: 'log', table: 'events' },
    ],
    port: 0,
    host: '0.0.0.0',
    public: true,
    retentionDays: 30,
    debug: true,
  })
})

test('the other commands', () => {
  expect(parseCommand(['status', 'a.db'])).toEqual({ name: 'status', file: 'a.db' })
  expect(parseCommand(['uninstall', 'a.db'])).toEqual({ name: 'uninstall', file: 'a.db' })
  expect(parseCommand(['cleanup', 'a.db', '--days', '7'])).toEqual({ name: 'cleanup', file: 'a.db', days: 7 })
  expect(parseCommand(['--help'])).toEqual({ name: 'help' })
  expect(parseCommand(['serve', '--help'])).toEqual({ name: 'help' })
  expect(parseCommand(['--version'])).toEqual({ name: 'version' })
})

test.each([
  [''],
  ['frobnicate app.db'],
  ['serve'],
  ['serve a.db b.db'],
  ['serve a.db --port http'],
  ['serve a.db --port 70000'],
  ['serve a.db --port -1'],
  ['serve a.db --access everybody'],
  ['serve a.db --entities ,'],
  ['serve a.db --unknown'],
  ['status a.db --port 1'],
  ['cleanup a.db'],
  ['cleanup a.db --days soon'],
])('refuses: syncline %s', line => {
  expect(() => parseCommand(line.split(' ').filter(word => word !== ''))).toThrow(UsageError)
})
