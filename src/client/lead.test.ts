import { describe, expect, test } from 'vitest'
import { answerMs, stepLead } from './lead.ts'
import type { Lead, LeadEvent, Role } from './lead.ts'

const in_ = (role: Role, asked: number | null = null): Lead => ({ role, asked })
const timer: LeadEvent = { type: 'timer', visible: true }

describe('[T1] [T2] who leads', () => {
  test('every role and every event', () => {
    const events: LeadEvent[] = [
      { type: 'need' },
      { type: 'heard' },
      timer,
      { type: 'granted' },
      { type: 'taken' },
      { type: 'lost' },
    ]
    const table: Record<Role, string[]> = {
      alone: ['', '', '', '', '', ''],
      follow: ['ask,timer', '', '', 'take', '', 'queue'],
      taking: ['', '', '', '', 'leads', 'yield,queue,ask,timer'],
      lead: ['', '', '', '', '', 'yield,queue,ask,timer'],
    }
    for (const [role, expected] of Object.entries(table) as [Role, string[]][]) {
      const done = events.map(event => stepLead(in_(role), event, 5000).join())
      expect(done, role).toEqual(expected)
    }
  })

  test('a lock that is granted leads only when what it leads is known', () => {
    const lead = in_('follow')
    expect(stepLead(lead, { type: 'granted' }, 0)).toEqual(['take'])
    expect(lead.role).toBe('taking')
    expect(stepLead(lead, { type: 'granted' }, 0)).toEqual([])
    expect(stepLead(lead, { type: 'taken' }, 0)).toEqual(['leads'])
    expect(lead.role).toBe('lead')
  })

  test('the leader is asked once, and stolen from when two seconds brought no answer', () => {
    const lead = in_('follow')
    expect(stepLead(lead, { type: 'need' }, 1000)).toEqual(['ask', 'timer'])
    expect(stepLead(lead, { type: 'need' }, 1500)).toEqual([])
    expect(stepLead(lead, timer, 1000 + answerMs)).toEqual(['steal'])
    expect(stepLead(lead, { type: 'need' }, 4000)).toEqual(['ask', 'timer'])
    expect(stepLead(lead, { type: 'heard' }, 4500)).toEqual([])
    expect(stepLead(lead, timer, 6000)).toEqual([])
  })

  test('a hidden tab steals nothing, and one that slept asks again', () => {
    expect(stepLead(in_('follow', 0), { type: 'timer', visible: false }, answerMs)).toEqual([])
    const slept = in_('follow', 0)
    expect(stepLead(slept, timer, 60_000)).toEqual(['ask', 'timer'])
    expect(slept.asked).toBe(60_000)
    expect(stepLead(in_('follow', 9000), timer, 10)).toEqual(['ask', 'timer'])
  })
})
