import assert from 'node:assert/strict'
import test from 'node:test'
import { fairly } from '../helpers/fair.ts'
import type { SlowExchange } from '../../types/index.ts'
import { answer, drip, origin, slowHead, type Step } from '../helpers/origin.ts'
import { isAccessLine, start } from '../helpers/proxy.ts'
import { eventually, later } from '../helpers/until.ts'

const second = 1000
const pauseLength = 20

/** An upstream that answers at once, but stands still for 20 ms once a second; `held` says how long it held which path. */
function pausing (held: Map<string, number>): Step {
  let begin = -1
  return (request, response, n) => {
    const arrivedAt = performance.now()
    if (begin === -1) begin = arrivedAt
    const into = (arrivedAt - begin) % second
    const rest = 100 + pauseLength - into
    if (into < 100 || rest <= 0) return answer(200, 'ok')(request, response, n)
    later(() => {
      held.set(request.url!, performance.now() - arrivedAt)
      answer(200, 'ok')(request, response, n)
    }, rest)
  }
}

/** What took so long has to be told from the rest, and the rest adds up; a busy machine may make any of it longer. */
function hold ({ stages, stage, total }: SlowExchange): void {
  assert.equal(stages[stage], Math.max(...Object.values(stages)))
  const sum = Object.values(stages).reduce((sum: number, part: number) => sum + part)
  assert.ok(Math.abs(sum - total) < 0.001, `${sum} of ${total}`)
}

test('a pause of the upstream of 20 ms, once a second, has a name: the first byte', async (t) => {
  const held = new Map<string, number>()
  const upstream = await origin(t, answer(200), pausing(held))
  const app = await start(t, { upstream: upstream.url })
  await app.get('/first')

  // Until the ring has one of which the pause is the most: on a machine that is busy with something else, 20 ms are soon the least.
  let isOver = false
  const lanes = Array.from({ length: 4 }, async (_, lane) => {
    for (let n = 0; !isOver; n++) {
      await app.get(`/${lane}/${n}`)
      await new Promise((resolve) => { later(() => { resolve(null) }, 3) })
    }
  })
  const deadline = performance.now() + 60_000
  let found: SlowExchange | undefined
  while (found === undefined && performance.now() < deadline) {
    await new Promise((resolve) => { later(() => { resolve(null) }, 100) })
    for (const exchange of app.app.proxy.slowest({ count: Infinity })) {
      const heldFor = held.get(exchange.path)
      if (heldFor === undefined) continue
      hold(exchange)
      assert.ok(exchange.stages.firstByte >= heldFor, `${heldFor} ms, ${JSON.stringify(exchange)}`)
      if (heldFor > exchange.total / 2 && exchange.pause === null) found = exchange
    }
  }
  isOver = true
  await Promise.all(lanes)

  assert.equal(found?.stage, 'firstByte', JSON.stringify(app.app.proxy.slowest()))
  assert.deepEqual([found.route, found.endpoint, found.status], ['/*', upstream.url, 200])
})

test('each stage is told from the others', (t) => fairly(80, async () => {
  const upstream = await origin(t, answer(200))
  const slow = await origin(t, slowHead(200))
  const dripping = await origin(t, drip(['a', 'b'], 200))
  const app = await start(t, {
    upstreams: {
      one: { endpoints: [slow.url], pool: { connections: 1 } }
    },
    routes: [
      { url: '/select', upstream: upstream.url, preHandler: async () => { await new Promise((resolve) => { later(() => { resolve(null) }, 200) }) } },
      { url: '/queue', upstream: 'one' },
      { url: '/request', upstream: upstream.url },
      { url: '/body', upstream: dripping.url }
    ]
  })
  async function * upload (): AsyncGenerator<string> {
    yield 'a'
    await new Promise((resolve) => { later(() => { resolve(null) }, 200) })
    yield 'b'
  }

  await app.get('/select')
  await Promise.all([app.get('/queue'), app.get('/queue'), app.get('/queue')])
  await app.request('/request', { method: 'POST', body: upload() })
  await app.get('/body')
  for (let lines = 0; lines < 6; lines++) await app.line(isAccessLine)

  const stageOf = (route: string): string => app.app.proxy.slowest({ route })[0]!.stage
  assert.deepEqual(['/select', '/queue', '/request', '/body'].map(stageOf), ['select', 'queue', 'request', 'body'])
}))

test('a process that was busy with something else is the name of the spike', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, {
    upstream: upstream.url,
    preHandler: async () => { for (const end = performance.now() + 300; performance.now() < end;); }
  })

  await app.get('/x')
  await app.line()
  // What the loop did not turn for is known when it turns again.
  await eventually('a pause', () => app.app.proxy.slowest()[0]?.pause)

  const [exchange] = app.app.proxy.slowest()
  assert.equal(exchange!.pause, 'event-loop', JSON.stringify(exchange))
  assert.equal(exchange!.stage, 'select')
})
