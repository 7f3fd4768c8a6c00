// A real Firefox: FIREFOX_PATH, else the system's, else Debian's extended support release. No npm package carries one.
import { existsSync } from 'node:fs'
import { installed } from './apt.mjs'

const debian = '/usr/bin/firefox-esr'

/** @returns {{ executablePath: string }} */
export function firefox() {
  const system = [process.env.FIREFOX_PATH, debian, '/usr/bin/firefox']
  const present = system.find(file => file !== undefined && existsSync(file))
  if (present === undefined) installed('Firefox', [debian], ['firefox-esr'])
  return { executablePath: present ?? debian }
}
