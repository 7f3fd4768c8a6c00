// Who lives on and who does not, with the time in the test's hand.
import { describe, expect, test, vi } from 'vitest'
import { SyncError } from '../core/index.ts'
import { FakeEnv, settle } from '../testing/fake-env.ts'
import type { Connection } from './connection.ts'
import { Connections } from './connections.ts'
import { Doorkeeper } from './doorkeeper.ts'
import { beatMs } from './pulse.ts'
import type { Authenticate, AuthRequest, User } from './user.ts'

class Env extends FakeEnv {
  soon(run: () => void): () => void {
    return this.after(0, run)
  }
  secret(bytes: number): string {
    return 'ab'.repeat(bytes)
  }
}

const request: AuthRequest = { headers: new Headers({ cookie: 'sid=1' }), url: new URL('http://x/') }

function world(authenticate: Authenticate) {
  const env = new Env()
  const log = { debug() {}, info() {}, warn() {}, error: vi.fn() }
  const doorkeeper = new Doorkeeper(authenticate, env, log)
  const connections = new Connections(env)
  const join = (user: User, again?: () => Promise<User>) => {
    const said: string[] = []
    const connection = {
      user,
      close: (code: number) => {
        said.push(`close ${code}`)
        connections.delete(connection)
      },
      changedUser: () => said.push(`changed ${JSON.stringify(connection.user)}`),
    } as unknown as Connection
    connections.add(connection, again)
    return { connection, said }
  }
  return {
    env,
    log,
    doorkeeper,
    connections,
    join,
    admit: async () => {
      const { user, again } = await doorkeeper.admit(() => request)
      return join(user, again)
    },
    /** The engine's beats, as long as that. */
    pass: async (ms: number) => {
      for (const end = env.now() + ms; env.now() < end;) {
        await env.advance(Math.min(beatMs, end - env.now()))
        connections.beat()
        await settle()
      }
    },
  }
}

describe('[A4] X51', () => {
  test('a user who is nobody any more is closed 4401 within 60 s, after the same request was asked about', async () => {
    const asked: AuthRequest[] = []
    let user: User | null = { id: 'ada' }
    const { admit, pass, connections } = world(made => {
      asked.push(made)
      return user
    })
    const { said } = await admit()
    await pass(120_000)
    expect(said).toEqual([])
    expect(asked.length).toBeGreaterThanOrEqual(3)
    expect(new Set(asked)).toEqual(new Set([request]))
    user = null
    await pass(60_000)
    expect(said).toEqual(['close 4401'])
    expect(connections.size).toBe(0)
    const before = asked.length
    await pass(120_000)
    expect(asked.length).toBe(before)
  })

  test('somebody else: 4401; who may not any more: 4403', async () => {
    let answer = (): User => ({ id: 'ada' })
    const { admit, pass } = world(() => answer())
    const one = await admit()
    answer = () => ({ id: 'eve' })
    await pass(60_000)
    expect(one.said).toEqual(['close 4401'])
    const two = await admit()
    answer = () => {
      throw new SyncError('FORBIDDEN', 'banned')
    }
    await pass(60_000)
    expect(two.said).toEqual(['close 4403'])
  })

  test('at the end of the sign-in, to the millisecond, where it was not prolonged', async () => {
    let end = 0
    const { env, admit, pass } = world(() => ({ id: 'ada', expiresAt: new Date(end) }))
    end = env.now() + 12_345
    const { said } = await admit()
    await pass(10_000)
    await env.advance(2_344)
    expect(said).toEqual([])
    await env.advance(1)
    expect(said).toEqual(['close 4401'])
  })

  test('a sign-in that was prolonged goes on', async () => {
    let end = 0
    const { env, admit, pass } = world(() => ({ id: 'ada', expiresAt: end }))
    end = env.now() + 7_000
    const { said, connection } = await admit()
    end += 3_600_000
    await pass(60_000)
    expect(said).toEqual([expect.stringContaining('changed')])
    expect(connection.user.expiresAt).toBe(end)
  })

  test('a user without anybody to ask about still ends', async () => {
    const { env, join, pass } = world(() => null)
    const { said } = join({ id: 'ada', expiresAt: env.now() + 20_000 })
    const other = join({ id: 'ada' })
    await pass(19_000)
    expect(said).toEqual([])
    await pass(1_000)
    expect([said, other.said]).toEqual([['close 4401'], []])
  })

  test('a failure is no verdict: asked again at the next beat, given up for a while after three', async () => {
    let down = false
    let asked = 0
    const { admit, pass, log } = world(() => {
      asked += 1
      if (down) throw new Error('database away')
      return { id: 'ada' }
    })
    const { said } = await admit()
    down = true
    await pass(60_000)
    expect(said).toEqual(['close 1013'])
    expect(asked).toBe(4)
    expect(log.error).toHaveBeenCalledTimes(3)
    down = false
    const second = await admit()
    down = true
    await pass(45_000)
    down = false
    await pass(300_000)
    expect(second.said).toEqual([])
  })

  test('past its end nobody goes on only because it cannot be found out', async () => {
    let down = false
    let end = 0
    const { env, admit, pass } = world(() => {
      if (down) throw new Error('database away')
      return { id: 'ada', expiresAt: end }
    })
    end = env.now() + 4_000
    const { said } = await admit()
    down = true
    await pass(5_000)
    expect(said).toEqual(['close 1013'])
  })

  test('one that never answers is asked once at a time, and fails after its deadline', async () => {
    let asked = 0
    const { admit, pass } = world(() => {
      asked += 1
      return asked === 1 ? { id: 'ada' } : new Promise<never>(() => {})
    })
    const { said } = await admit()
    await pass(60_000)
    expect(asked).toBeLessThanOrEqual(4)
    await pass(30_000)
    expect(said).toEqual(['close 1013'])
    expect(asked).toBe(4)
  })

  test('another description of the same user takes its place, and the connection is told', async () => {
    let user: User = { id: 'ada', role: 'reader', session: 's1' }
    const { admit, pass, connections } = world(() => ({ ...user }))
    const { said, connection } = await admit()
    await pass(60_000)
    expect(said).toEqual([])
    user = { id: 'ada', role: 'editor', session: 's2' }
    await pass(60_000)
    expect(said).toEqual([`changed ${JSON.stringify(user)}`])
    expect(connection.user).toEqual(user)
    expect([connections.signOut({ session: 's1' }), connections.signOut({ session: 's2' })]).toEqual([0, 1])
  })

  test('those who came back together are not asked about together', async () => {
    let asked = 0
    const { env, admit, pass } = world(() => {
      asked += 1
      return { id: 'ada' }
    })
    for (let i = 0; i < 100; i++) {
      env.chance = i / 100
      await admit()
    }
    const counts: number[] = []
    for (let i = 0; i < 12; i++) {
      const before = asked
      await pass(beatMs)
      counts.push(asked - before)
    }
    expect(Math.max(...counts)).toBeLessThan(50)
    expect(asked).toBe(200)
  })
})

describe('[A5]', () => {
  test('a sign-out closes what it concerns, at once, and nothing else', async () => {
    const { join, connections } = world(() => null)
    const phone = join({ id: 'ada', session: 's1' })
    const laptop = join({ id: 'ada', session: 's2' })
    const other = join({ id: 'bob', session: 's3' })
    // an id is no session, whatever it is called
    const named = join({ id: 's1' })
    expect(connections.signOut({ session: 's1' })).toBe(1)
    expect([phone.said, laptop.said, named.said]).toEqual([['close 4401'], [], []])
    expect(connections.signOut({ user: 'ada' })).toBe(1)
    expect(connections.signOut({ user: 'ada', session: 's3' })).toBe(1)
    expect(connections.signOut({})).toBe(0)
    expect([laptop.said, other.said, named.said]).toEqual([['close 4401'], ['close 4401'], []])
    expect(connections.size).toBe(1)
  })

  test('who is let in while the sign-out happens was not missed by it', async () => {
    let answer: (user: User | null) => void = () => {}
    const found: (User | null)[] = [{ id: 'ada', session: 's1' }, null]
    const { doorkeeper } = world(
      () =>
        new Promise<User | null>(resolve => {
          answer = resolve
        }),
    )
    const admitted = doorkeeper.admit(() => request)
    await settle()
    doorkeeper.signedOut({ session: 's1' })
    answer(found[0] ?? null)
    await settle()
    answer(found[1] ?? null)
    await expect(admitted).rejects.toMatchObject({ code: 'AUTH_REQUIRED' })
  })
})

test('[A4] a sign-in that is over lets nobody in, whoever still finds it', async () => {
  let expiresAt = 0
  const { env, doorkeeper } = world(async () => ({ id: 'ada', expiresAt }))
  const admitted = async (): Promise<string> => (await doorkeeper.admit(() => request)).user.id
  expiresAt = env.now() + 1
  expect(await admitted()).toBe('ada')
  await env.advance(1)
  await expect(admitted()).rejects.toMatchObject({ code: 'AUTH_REQUIRED' })
})

test('[A1] what is no user lets nobody in', async () => {
  for (const wrong of [{}, { id: 7 }, { id: '' }, 'ada', true]) {
    const { doorkeeper } = world(() => wrong as unknown as User)
    await expect(doorkeeper.admit(() => request)).rejects.toMatchObject({ code: 'OVERLOADED' })
  }
  const { doorkeeper } = world(() => undefined as unknown as null)
  await expect(doorkeeper.admit(() => request)).rejects.toMatchObject({ code: 'AUTH_REQUIRED' })
  const late = world(() => new Promise<never>(() => {}))
  const waiting = late.doorkeeper.admit(() => request)
  const told = expect(waiting).rejects.toMatchObject({ code: 'OVERLOADED', retryAfterMs: 1000 })
  await late.env.advance(10_000)
  await told
})
