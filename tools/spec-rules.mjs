// Holds SPEC.md and the tests together: a rule begins a list item with its bold id (`- **M3** ...`), a test that
// holds it quotes the id in brackets (`test('[M3] ...')`, or several: `[M3, M4]`).

/** The ids of the rules, in the order of the text. */
export function rulesIn(spec) {
  return [...spec.matchAll(/^\s*[-*] \*\*(?<id>[A-Z]+\d+)\*\*/gm)].map(match => match.groups.id)
}

/** The ids that a text quotes. */
export function quotesIn(text) {
  const brackets = text.matchAll(/\[(?<ids>[A-Z]+\d+(?:, ?[A-Z]+\d+)*)\]/g)
  return [...brackets].flatMap(match => match.groups.ids.split(/, ?/))
}

/**
 * @param {string} spec the text of SPEC.md
 * @param {ReadonlyMap<string, string>} tests the texts of the tests by file name
 * @returns {{ rules: string[], twice: string[], unquoted: string[], unknown: string[] }}
 */
export function compare(spec, tests) {
  const rules = rulesIn(spec)
  const known = new Set(rules)
  // A bracket with other letters is no quote of a rule.
  const prefixes = new Set(rules.map(letters))
  const quoted = new Set()
  const unknown = []
  for (const [file, text] of tests) {
    for (const id of new Set(quotesIn(text))) {
      quoted.add(id)
      if (prefixes.has(letters(id)) && !known.has(id)) unknown.push(`${id} (${file})`)
    }
  }
  return {
    rules,
    twice: rules.filter((id, index) => rules.indexOf(id) !== index),
    unquoted: [...known].filter(id => !quoted.has(id)),
    unknown,
  }
}

const letters = id => id.replace(/\d+$/, '')
