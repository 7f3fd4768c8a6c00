import { defineConfig } from 'vitest/config'

// `unit` tests lie beside their sources and import them directly. All others import the built package by its name,
// as any user does, so run `npm run build` before them. Nobody fakes timers globally: time is an argument.
export default defineConfig({
  test: {
    // Real processes share the machine with the tests: more workers would only make them time out.
    maxWorkers: 2,
    projects: [
      {
        test: {
          name: 'unit',
          include: ['src/**/*.test.ts', 'tools/**/*.test.mjs'],
          pool: 'threads',
          testTimeout: 10_000,
        },
      },
      {
        test: {
          name: 'integration',
          include: ['test/**/*.test.ts'],
          exclude: ['test/pack/**', 'test/soak/**', 'test/browser/**', 'test/webkit/**', 'test/proxy/**'],
          pool: 'forks',
          maxWorkers: 2,
          testTimeout: 30_000,
          hookTimeout: 30_000,
        },
      },
      {
        test: {
          name: 'webkit',
          include: ['test/webkit/**/*.test.ts'],
          pool: 'forks',
          maxWorkers: 1,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          expect: { poll: { timeout: 30_000 } },
        },
      },
      {
        test: {
          name: 'proxy',
          include: ['test/proxy/**/*.test.ts'],
          pool: 'forks',
          maxWorkers: 1,
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'pack',
          include: ['test/pack/**/*.test.ts'],
          pool: 'forks',
          maxWorkers: 1,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'soak',
          include: ['test/soak/**/*.test.ts'],
          pool: 'forks',
          maxWorkers: 1,
          testTimeout: 2 * 60 * 60_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
})
