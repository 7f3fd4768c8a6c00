// What every `Transport` owes, on a server that speaks the canonical protocol. Runs in any test runner: give it `test` and
// `expect`.
import type { Connection, Transport } from '../../client/index.ts'
import type { TestKit } from './kit.ts'

/** A server and a way to it. */
export interface TransportHome {
  readonly transport: Transport
  /** How many connections the server holds. */
  connections(): Promise<number>
  /** Lets a little time go by. */
  moment(): Promise<void>
  /** Ends in good order, as at a deploy: whoever is connected is told 1012. */
  stop(): Promise<void>
}

interface End {
  readonly log: string[]
  readonly frames: string[]
  readonly connection: Connection
}

/** `make` gives each test a server of its own. */
export function transportContract(name: string, make: () => Promise<TransportHome>, kit: TestKit): void {
  framesContract(name, make, kit)
  endsContract(name, make, kit)
}

function connect({ transport }: TransportHome): End {
  const log: string[] = []
  const frames: string[] = []
  const connection = transport.connect({
    open: () => log.push('open'),
    frame: text => {
      log.push('frame')
      frames.push(text)
    },
    alive() {},
    closed: (code, _reason, wait) => log.push(`closed ${code}${wait === null ? '' : ' wait'}`),
  })
  return { log, frames, connection }
}

async function until(home: TransportHome, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 2000; i++) {
    if (await holds()) return
    await home.moment()
  }
  throw new Error(`it never became so: ${holds.toString()}`)
}

async function open(home: TransportHome): Promise<End> {
  const end = connect(home)
  await until(home, () => end.log.length > 0)
  return end
}

/** Which `odd` messages were answered, in the order of the answers: each names the type that it did not know. */
function answered({ frames }: End): number[] {
  return frames.flatMap(text => {
    const match = /unknown message type '?odd(\d+)/.exec(text)
    return match === null ? [] : [Number(match[1])]
  })
}

function framesContract(name: string, make: () => Promise<TransportHome>, { test, expect }: TestKit): void {
  const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i)

  test(`${name}: [K11] it opens, and what is said is answered`, async () => {
    const home = await make()
    const end = await open(home)
    expect(end.log).toEqual(['open'])
    expect(end.connection.send('{"type":"ping"}')).toEqual(true)
    await until(home, () => end.frames.length > 0)
    expect(end.frames[0]?.startsWith('{"type":"pong"')).toEqual(true)
    end.connection.close(1000, '')
  })

  test(`${name}: [K11] frames keep their order, each comes once, and all leave`, async () => {
    const home = await make()
    const end = await open(home)
    for (const n of numbers(150)) {
      end.connection.send(`{"type":"odd${n}"}`)
      if (n % 50 === 49) await until(home, () => answered(end).length > n - 40)
    }
    await until(home, () => answered(end).length >= 150)
    await home.moment()
    expect(answered(end)).toEqual(numbers(150))
    expect(end.connection.buffered()).toEqual(0)
    end.connection.close(1000, '')
  })

  test(`${name}: [K11] large frames and every character arrive as they are`, async () => {
    const home = await make()
    const end = await open(home)
    const text = 'Grüße, мир, 世界, 🎉, \u2028 \\ " \n'.repeat(2000)
    for (const n of numbers(4)) end.connection.send(JSON.stringify({ type: `odd${n}`, text }))
    end.connection.send(JSON.stringify({ type: 'odd🎉\u2028"' }))
    await until(home, () => end.frames.length >= 5)
    expect(answered(end)).toEqual(numbers(4))
    expect(end.frames[4]?.includes('odd🎉')).toEqual(true)
    end.connection.close(1000, '')
  })

  test(`${name}: connections do not hear each other`, async () => {
    const home = await make()
    const [one, other] = [await open(home), await open(home)]
    one.connection.send('{"type":"odd1"}')
    other.connection.send('{"type":"odd2"}')
    await until(home, () => one.frames.length + other.frames.length >= 2)
    expect([answered(one), answered(other)]).toEqual([[1], [2]])
    one.connection.close(1000, '')
    other.connection.close(1000, '')
  })
}

function endsContract(name: string, make: () => Promise<TransportHome>, { test, expect }: TestKit): void {
  test(`${name}: after close comes no event, nothing is taken, and the server knows`, async () => {
    const home = await make()
    const end = await open(home)
    await until(home, async () => (await home.connections()) === 1)
    // a request that waits has to be there before it can be given up
    for (let i = 0; i < 5; i++) await home.moment()
    end.connection.close(1000, 'bye')
    end.connection.close(1000, 'bye')
    expect(end.connection.send('{"type":"ping"}')).toEqual(false)
    await until(home, async () => (await home.connections()) === 0)
    expect(end.log).toEqual(['open'])
  })

  test(`${name}: [K4] [K11] a server that stops says so, with a pause; then there is nobody`, async () => {
    const home = await make()
    const end = await open(home)
    for (let i = 0; i < 5; i++) await home.moment()
    await home.stop()
    await until(home, () => end.log.length > 1)
    expect(end.log).toEqual(['open', 'closed 1012 wait'])
    expect(end.connection.send('{"type":"ping"}')).toEqual(false)
    const late = connect(home)
    await until(home, () => late.log.length > 0)
    // nobody is there, or a server that is leaving says when to come back
    expect(late.log.length === 1 && /^closed (1006|1012|1013)/.test(late.log[0] ?? '')).toEqual(true)
  })

  test(`${name}: [K4] a refusal has its code, behind the answer that says why`, async () => {
    const home = await make()
    const end = await open(home)
    end.connection.send('{"type":"hello","protocol":999,"client":"c","lead":1,"acked":0}')
    await until(home, () => end.log.includes('closed 4400'))
    expect(end.log).toEqual(['open', 'frame', 'closed 4400'])
  })
}
