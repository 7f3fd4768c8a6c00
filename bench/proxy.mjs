// A TCP proxy between a client and a measured server: counts bytes and connections, cuts them, or takes its time.
import { connect, createServer } from 'node:net'

/** `delay`: milliseconds each way. */
export async function openProxy(target, { delay = 0 } = {}) {
  const open = new Set()
  const counts = { up: 0, down: 0 }
  const used = new Set()
  const state = { cut: false }
  const server = createServer(near => {
    if (state.cut) return near.resetAndDestroy()
    const far = connect(target, '127.0.0.1')
    open.add(near)
    near.on('close', () => open.delete(near))
    const counted = way => data => {
      counts[way] += data.length
      used.add(near)
    }
    pass(near, far, counted('up'))
    pass(far, near, counted('down'))
  })
  const late = run => (delay === 0 ? run() : setTimeout(() => run(), delay))
  function pass(from, to, count) {
    from.setNoDelay(true)
    from.on('data', data => {
      count(data)
      late(() => to.write(data))
    })
    // what is under way still arrives
    from.on('close', () => late(() => to.destroySoon()))
    from.on('error', () => {})
  }
  await new Promise(resolve => void server.listen(0, '127.0.0.1', resolve))
  return {
    port: server.address().port,
    /** Since the last call: bytes of both ways, and how many connections carried them. */
    take() {
      const taken = { ...counts, connections: used.size }
      Object.assign(counts, { up: 0, down: 0 })
      used.clear()
      return taken
    },
    /** Every connection dies, new ones are refused, until `mend`. */
    cut() {
      state.cut = true
      for (const near of open) near.resetAndDestroy()
    },
    mend() {
      state.cut = false
    },
    async close() {
      this.cut()
      await new Promise(resolve => server.close(resolve))
    },
    /** Away is who has no connection left, not who has said so. */
    async away() {
      for (const deadline = Date.now() + 5000; open.size > 0 && Date.now() < deadline;)
        await new Promise(resolve => setTimeout(resolve, 5))
    },
  }
}
