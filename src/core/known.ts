// What an application may give, which may be written without types: what is misspelt would be passed over.
import { SyncError } from './errors.ts'

/** Throws INVALID_CONFIG. `path`: where `given` is among the options; `whose`: what they are of, for the message. */
export function checkKnown(given: object, known: readonly string[], path = '', whose = ''): void {
  for (const key of Object.keys(given))
    if (!known.includes(key))
      throw new SyncError(
        'INVALID_CONFIG',
        `${whose}unknown option '${path}${key}'; known are ${known.join(', ')}`,
      )
}
