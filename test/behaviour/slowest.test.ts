import assert from 'node:assert/strict'
import test from 'node:test'
import { fairly } from '../helpers/fair.ts'
import { answer, drip, origin, slowHead, type Step } from '../helpers/origin.ts'
import { isAccessLine, start } from '../helpers/proxy.ts'
import { eventually, later } from '../helpers/until.ts'

/** ms. The seeded spike is one of 20 ms; on a machine that is busy with other tests those are no spike. */
const PAUSE = 200

/** An upstream that pauses once in each second, 100 ms into it; `held` has the paths that it held. */
function pausing (held: Set<string>): Step {
  let begin = -1
  return (request, response, n) => {
    if (begin === -1) begin = performance.now()
    const into = (performance.now() - begin) % 1000
    const rest = 100 + PAUSE - into
    if (into < 100 || rest <= 0) return answer(200, 'ok')(request, response, n)
    held.add(request.url!)
    later(() => { answer(200, 'ok')(request, response, n) }, rest)
  }
}

test('a pause of the upstream, once a second, has a name: the first byte', (t) => fairly(80, async () => {
  const held = new Set<string>()
  const upstream = await origin(t, answer(200), pausing(held))
  const app = await start(t, { upstream: upstream.url })

  await app.get('/first')
  await Promise.all(Array.from({ length: 4 }, async (_, lane) => {
    for (let n = 0; n < 5 || held.size < 4; n++) {
      await app.get(`/${lane}/${n}`)
      await new Promise((resolve) => { later(() => { resolve(null) }, 3) })
    }
  }))
  for (let lines = 0; lines < 21; lines++) await app.line(isAccessLine)
  const found = app.app.proxy.slowest().filter(({ path }) => held.has(path))

  assert.ok(found.length > 0, JSON.stringify(app.app.proxy.slowest()))
  const [slowest] = found
  assert.equal(slowest!.stage, 'firstByte', JSON.stringify(slowest))
  const sum = Object.values(slowest!.stages).reduce((sum: number, part: number) => sum + part)
  assert.ok(Math.abs(sum - slowest!.total) < 0.001, `${sum} of ${slowest!.total}`)
}))

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
