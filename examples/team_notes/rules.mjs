// Who may see and write what.
import { defineEntity, SyncError } from 'syncline'
import { nameOf, person } from './public/people.mjs'

const shared = ['team', 'owner', 'text', 'done']
/** The remark is for managers only. */
export const columnsOf = user => (user.manager ? [...shared, 'remark'] : shared)

export const notes = defineEntity({
  name: 'notes',
  by: ['team'],
  access: {
    read: user => user.manager || { team: user.team },
    columns: columnsOf,
    write(user, { action, data }, row) {
      if (row !== null && row.owner !== user.id && !user.manager)
        throw new SyncError('FORBIDDEN', `This note is ${nameOf(row.owner)}’s`)
      if (action === 'delete') return true
      // a note is in the team of its owner, whatever the client says
      const owner = person(row === null ? user.id : (data.owner ?? row.owner))
      return owner !== undefined && { owner: owner.id, team: owner.team }
    },
  },
})
