// Real proxies: the system's, or out of Debian's packages. No npm package carries one.
import { unpacked } from './apt.mjs'

/** @returns {string} the program */
export const nginx = () => unpacked('nginx', '/usr/sbin/nginx')

/** @returns {string} the program */
export const caddy = () => unpacked('caddy', '/usr/bin/caddy')
