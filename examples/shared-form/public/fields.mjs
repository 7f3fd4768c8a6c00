// What the form asks for, and who fills it in. Both ends know it.

/** The row that all of this is about. */
export const plan = 1

export const fields = [
  { name: 'title', label: 'What', max: 80, rule: 'The party needs a name.' },
  { name: 'day', label: 'When', max: 80 },
  { name: 'place', label: 'Where', max: 80 },
  { name: 'guests', label: 'How many come', number: true, rule: 'The boathouse takes 60.' },
  { name: 'food', label: 'Food and drink', max: 200 },
  { name: 'notes', label: 'Notes', max: 2000, lines: 4 },
]

const people = { ada: 'Ada', ben: 'Ben' }

export const isPerson = id => Object.hasOwn(people, id ?? '')
export const nameOf = id => people[id] ?? 'Somebody'
export const others = id => Object.keys(people).filter(one => one !== id)
