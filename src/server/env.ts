// The world as the server sees it. Everything that reads a clock, waits or draws lots takes it from here, so that one
// seed can replay a whole run.

export interface ServerEnv {
  /** Milliseconds since 1970. */
  now(): number
  /** In [0, 1). */
  random(): number
  /** Runs once after `ms`; the result cancels. Must not keep the process alive, unless somebody `awaits` it. */
  after(ms: number, run: () => void, awaits?: 'awaits'): () => void
  /** Runs after the current burst of IO; the result cancels. */
  soon(run: () => void): () => void
  /** `bytes` random bytes, hex. */
  secret(bytes: number): string
}

export function nodeEnv(): ServerEnv {
  return {
    now: () => Date.now(),
    random: () => Math.random(),
    after(ms, run, awaits) {
      const timer = setTimeout(run, ms)
      if (awaits === undefined) timer.unref()
      return () => clearTimeout(timer)
    },
    soon(run) {
      const handle = setImmediate(run)
      return () => clearImmediate(handle)
    },
    secret: bytes => Buffer.from(crypto.getRandomValues(new Uint8Array(bytes))).toString('hex'),
  }
}

/** A logger that pino, console and most others fit. */
export interface Logger {
  debug(details: object, message: string): void
  info(details: object, message: string): void
  warn(details: object, message: string): void
  error(details: object, message: string): void
}

/** Warnings and errors always, the rest only with `debug`. */
export function consoleLogger(debug: boolean): Logger {
  const silent = (): void => {}
  return {
    debug: debug ? (details, message) => console.debug(message, details) : silent,
    info: debug ? (details, message) => console.info(message, details) : silent,
    warn: (details, message) => console.warn(message, details),
    error: (details, message) => console.error(message, details),
  }
}
