// A remote control for WebKitGTK: the W3C's WebDriver protocol by fetch. Playwright drives only a WebKit of its own.
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Readable } from 'node:stream'
import { webkit } from '../../tools/webkit.mjs'
import { freePort } from '../browser/support/processes.ts'
import { until } from '../server/support/app.ts'

/** The driver's process and the screen on which its browsers draw. */
export class Driver {
  readonly #home = mkdtempSync(path.join(tmpdir(), 'syncline-webkit-'))
  readonly #paths = webkit()
  readonly #children: ChildProcess[] = []
  #address = ''

  static async start(): Promise<Driver> {
    const driver = new Driver()
    try {
      await driver.#start()
    } catch (error) {
      await driver.stop()
      throw error
    }
    return driver
  }

  async #start(): Promise<void> {
    // it takes a display that is free, and says which when it is ready
    const screen = this.#spawn(
      this.#paths.screen,
      ['-displayfd', '3', '-nolisten', 'tcp'],
      process.env,
      'pipe',
    )
    // reason: the pipe was asked for
    const [display] = await once(screen.stdio[3] as Readable, 'data')
    const port = await freePort()
    this.#address = `http://127.0.0.1:${port}`
    const env = {
      ...process.env,
      DISPLAY: `:${String(display).trim()}`,
      GDK_BACKEND: 'x11',
      GIO_USE_VFS: 'local',
      // neither a graphics card nor a desktop is there
      NO_AT_BRIDGE: '1',
      WEBKIT_DISABLE_COMPOSITING_MODE: '1',
      HOME: this.#home,
      XDG_CACHE_HOME: path.join(this.#home, 'cache'),
      XDG_DATA_HOME: path.join(this.#home, 'data'),
    }
    const driver = this.#spawn(this.#paths.driver, [`--port=${port}`, '--host=127.0.0.1'], env)
    await until('the driver to listen', async () => {
      if (driver.exitCode !== null) throw new Error(`WebKitWebDriver ended with ${driver.exitCode}`)
      return this.#isReady()
    })
  }

  /** A browser of its own, with an empty profile; resolves with its only tab. */
  async open(): Promise<Browser> {
    const options = { binary: this.#paths.browser, args: ['--automation'] }
    const capabilities = {
      alwaysMatch: {
        browserName: 'MiniBrowser',
        'webkitgtk:browserOptions': options,
        timeouts: { script: 60_000, pageLoad: 60_000 },
      },
    }
    const session = await this.ask<Session>('POST', '/session', { capabilities })
    return new Browser(this, session)
  }

  async ask<T>(method: 'GET' | 'POST' | 'DELETE', at: string, body?: object): Promise<T> {
    const answer = await fetch(this.#address + at, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    // reason: the protocol's own shape
    const { value } = (await answer.json()) as { value: T & { error?: string; message?: string } }
    if (!answer.ok) throw new Error(`${method} ${at}: ${value.error}: ${value.message}`)
    return value
  }

  async stop(): Promise<void> {
    for (const child of this.#children.toReversed()) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      const ended = once(child, 'exit')
      child.kill()
      await ended
    }
    rmSync(this.#home, { recursive: true, force: true })
  }

  #spawn(
    file: string,
    args: string[],
    env: NodeJS.ProcessEnv,
    third: 'pipe' | 'ignore' = 'ignore',
  ): ChildProcess {
    const child = spawn(file, args, { env, stdio: ['ignore', 'ignore', 'ignore', third] })
    this.#children.push(child)
    return child
  }

  #isReady(): Promise<boolean> {
    return this.ask<{ ready: boolean }>('GET', '/status').then(
      ({ ready }) => ready,
      () => false,
    )
  }
}

interface Session {
  readonly sessionId: string
}

export class Browser {
  readonly #driver: Driver
  readonly #path: string
  /** The driver has one current tab: who speaks to another one must not be interrupted. */
  #turn: Promise<unknown> = Promise.resolve()

  constructor(driver: Driver, { sessionId }: Session) {
    this.#driver = driver
    this.#path = `/session/${sessionId}`
  }

  async tab(): Promise<Tab> {
    const handle = await this.#ask<string>('GET', '/window')
    return new Tab(this, handle)
  }

  async newTab(): Promise<Tab> {
    const { handle } = await this.#ask<{ handle: string }>('POST', '/window/new', { type: 'tab' })
    return new Tab(this, handle)
  }

  inTab<T>(handle: string, method: 'GET' | 'POST' | 'DELETE', at: string, body?: object): Promise<T> {
    const answer = this.#turn.then(async () => {
      await this.#ask('POST', '/window', { handle })
      return this.#ask<T>(method, at, body)
    })
    this.#turn = answer.catch(() => {})
    return answer
  }

  close(): Promise<unknown> {
    return this.#ask('DELETE', '')
  }

  #ask<T>(method: 'GET' | 'POST' | 'DELETE', at: string, body?: object): Promise<T> {
    return this.#driver.ask(method, this.#path + at, body)
  }
}

export class Tab {
  readonly #browser: Browser
  readonly #handle: string

  constructor(browser: Browser, handle: string) {
    this.#browser = browser
    this.#handle = handle
  }

  goto(url: string): Promise<void> {
    return this.#ask('POST', '/url', { url })
  }

  reload(): Promise<void> {
    return this.#ask('POST', '/refresh', {})
  }

  back(): Promise<void> {
    return this.#ask('POST', '/back', {})
  }

  close(): Promise<void> {
    return this.#ask('DELETE', '/window')
  }

  /** Runs the function in the page: it sees its arguments and nothing else of this file. */
  async evaluate<Args extends readonly unknown[], T>(
    run: (...args: Args) => T | Promise<T>,
    ...args: Args
  ): Promise<T> {
    const script = `
      const done = arguments[arguments.length - 1]
      new Promise(resolve => resolve((${String(run)})(...arguments[0])))
        .then(value => done({ value }), error => done({ error: String(error) }))`
    const answer = await this.#ask<{ value: T; error?: string }>('POST', '/execute/async', {
      script,
      args: [args],
    })
    if (answer.error !== undefined) throw new Error(answer.error)
    return answer.value
  }

  /** The texts of all elements that the selector finds. */
  texts(selector: string): Promise<string[]> {
    return this.evaluate(
      (all: string) => [...document.querySelectorAll(all)].map(element => element.textContent ?? ''),
      selector,
    )
  }

  #ask<T>(method: 'GET' | 'POST' | 'DELETE', at: string, body?: object): Promise<T> {
    return this.#browser.inTab(this.#handle, method, at, body)
  }
}
