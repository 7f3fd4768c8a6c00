// The few words of a test runner that the contract suites use; vitest, jest and node's own (with an `expect`) have them.

export interface TestKit {
  readonly test: (title: string, run: () => void | Promise<void>) => void
  readonly expect: (value: unknown) => Matchers
}

export interface Matchers {
  toEqual(expected: unknown): void
  toMatchObject(expected: object): void
  readonly rejects: { toMatchObject(expected: object): Promise<void> }
}
