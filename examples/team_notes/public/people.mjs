// Who works here. Both ends know their names; who of them asks, only the server says.
export const people = [
  { id: 'ada', name: 'Ada', team: 'Kitchen', manager: true },
  { id: 'ben', name: 'Ben', team: 'Kitchen', manager: false },
  { id: 'cleo', name: 'Cleo', team: 'Bar', manager: false },
]

export const person = id => people.find(one => one.id === id)
export const nameOf = id => person(id)?.name ?? String(id)
