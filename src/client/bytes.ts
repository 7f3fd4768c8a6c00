// How long a text is on a wire.

/** Of UTF-8. */
export function bytesIn(text: string): number {
  return new TextEncoder().encode(text).length
}
