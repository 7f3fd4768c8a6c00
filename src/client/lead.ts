// Who of the tabs leads, as a machine: one has the connection and the sending, the others follow. Nobody beats time: a
// tab that awaits something asks, and takes over what does not answer (rules T1, T2). Neighbours: `crew` carries it out.

/** alone: there are no other tabs for this one. taking: it has the lock, and is not told yet what it leads. */
export type Role = 'alone' | 'follow' | 'taking' | 'lead'

export interface Lead {
  role: Role
  /** Milliseconds since 1970 at which the leader was asked for a sign of life; null: it is not awaited. */
  asked: number | null
}

export type LeadEvent =
  /** Something is awaited of the leader. */
  | { readonly type: 'need' }
  /** The leader said something. */
  | { readonly type: 'heard' }
  | { readonly type: 'timer'; readonly visible: boolean }
  /** The lock is ours. */
  | { readonly type: 'granted' }
  | { readonly type: 'taken' }
  /** Somebody else has it: stolen, fenced off, or not to be had. */
  | { readonly type: 'lost' }

export type LeadEffect = 'ask' | 'timer' | 'steal' | 'take' | 'leads' | 'yield' | 'queue'

export const answerMs = 2_000
/** How often a tab that is seen looks whether somebody leads. */
export const watchMs = 30_000
/** A timer this late says that this tab slept, not that the leader died. */
const lateMs = 1_000

export function stepLead(lead: Lead, event: LeadEvent, now: number): LeadEffect[] {
  switch (event.type) {
    case 'need':
      if (lead.role !== 'follow' || lead.asked !== null) return []
      lead.asked = now
      return ['ask', 'timer']
    case 'heard':
      lead.asked = null
      return []
    case 'timer': {
      const { asked } = lead
      lead.asked = null
      // a hidden tab needs nothing now; it asks when it is seen again
      if (lead.role !== 'follow' || asked === null || !event.visible) return []
      if (now - asked > answerMs + lateMs || now < asked) return stepLead(lead, { type: 'need' }, now)
      return ['steal']
    }
    case 'granted':
      if (lead.role !== 'follow') return []
      lead.role = 'taking'
      return ['take']
    case 'taken':
      if (lead.role !== 'taking') return []
      Object.assign(lead, { role: 'lead', asked: null })
      return ['leads']
    case 'lost': {
      const { role } = lead
      if (role === 'alone') return []
      // a lock that was stolen before this tab heard of having it
      if (role === 'follow') return ['queue']
      lead.role = 'follow'
      return ['yield', 'queue', ...stepLead(lead, { type: 'need' }, now)]
    }
  }
}
