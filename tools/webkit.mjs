// A real WebKit: WebKitGTK's own small browser, the driver that remote-controls it, and a screen without a monitor.
import { existsSync } from 'node:fs'
import { installed } from './apt.mjs'

const folder = { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' }[process.arch] ?? process.arch

// Debian's, then Arch's and Fedora's
const browsers = ['lib/' + folder, 'lib', 'libexec', 'lib64'].map(
  place => `/usr/${place}/webkit2gtk-4.1/MiniBrowser`,
)

/** @returns {{ driver: string, browser: string, screen: string }} paths */
export function webkit() {
  const driver = '/usr/bin/WebKitWebDriver'
  const screen = '/usr/bin/Xvfb'
  const browser = browsers.find(file => existsSync(file)) ?? browsers[0]
  installed('WebKitGTK', [driver, browser, screen], ['webkit2gtk-driver', 'xvfb'])
  return { driver, browser, screen }
}
