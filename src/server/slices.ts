// Rows travel as JSON text that the database made. Here such a text is cut at its top-level commas, so that a projection
// leaves columns out and a predicate reads only what it goes by; what is passed on is passed on to the letter.

/** The texts of a row's values, given `1,"a",{"b":[2]}` (`values`) or `{"x":1,"y":"a"}` (`object`), names cut off. */
export function slicesOf(json: string, form: 'values' | 'object'): string[] {
  const slices: string[] = []
  cut(json, form, (start, end) => slices.push(json.slice(start, end)))
  return slices
}

/** The same of an object, with the names of its members. */
export function membersOf(json: string): (readonly [name: string, text: string])[] {
  const members: (readonly [string, string])[] = []
  cut(json, 'object', (start, end, name) => {
    // reason: the store's own SQL made the text, and names are strings
    members.push([JSON.parse(json.slice(name, start - 1)) as string, json.slice(start, end)])
  })
  return members
}

/** `found` hears where a value begins and ends, and where its name begins. */
function cut(
  json: string,
  form: 'values' | 'object',
  found: (start: number, end: number, name: number) => void,
): void {
  const end = form === 'object' ? json.length - 1 : json.length
  let start = form === 'object' ? 1 : 0
  let name = start
  let depth = 0
  for (let i = start; i < end; i++) {
    const unit = json.charCodeAt(i)
    if (unit === quote) i = endOfText(json, i)
    else if (unit === openBracket || unit === openBrace) depth++
    else if (unit === closeBracket || unit === closeBrace) depth--
    else if (unit === comma && depth === 0) {
      found(start, i, name)
      start = name = i + 1
    } else if (unit === colon && depth === 0 && form === 'object') start = i + 1
  }
  if (end > start) found(start, end, name)
}

const [quote, comma, colon, openBracket, closeBracket, openBrace, closeBrace] = Array.from('",:[]{}', one =>
  one.charCodeAt(0),
)

/** The place of the quote that ends the text which begins at `start`. */
function endOfText(json: string, start: number): number {
  for (let end = json.indexOf('"', start + 1); end !== -1; end = json.indexOf('"', end + 1)) {
    let slashes = 0
    while (json.charAt(end - 1 - slashes) === '\\') slashes++
    if (slashes % 2 === 0) return end
  }
  return json.length
}
