import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { HashOptions, UpstreamOptions } from '../../types/index.ts'
import { connect } from '../helpers/client.ts'
import { answer, origin, type Origin } from '../helpers/origin.ts'
import { start, type Started } from '../helpers/proxy.ts'

type Balancing = Omit<UpstreamOptions, 'endpoints'>

/** Endpoints that answer with their number, of these weights. */
async function startMany (t: TestContext, weights: number[], balancing: Balancing): Promise<{ proxy: Started, origins: Origin[] }> {
  const origins = await Promise.all(weights.map((_weight, index) => origin(t, answer(200, String(index)))))
  const endpoints = origins.map(({ url }, index) => ({ origin: url, weight: weights[index]! }))
  const proxy = await start(t, { upstreams: { many: { endpoints, ...balancing } }, routes: [{ url: '/*', upstream: 'many' }] })
  return { proxy, origins }
}

async function ask (proxy: Started, times: number): Promise<string> {
  let order = ''
  for (let n = 0; n < times; n++) order += (await proxy.get('/x')).body
  return order
}

const orders: [weights: number[], order: string][] = [
  [[1, 1, 1], '012012012'],
  [[2, 2], '01010101'],
  // As nginx does it: those of greater weight more often, but spread out.
  [[5, 1, 1], '00102000010200'],
  [[2, 1], '010010010'],
  [[0.5, 1], '101101101']
]

for (const [weights, order] of orders) {
  test(`round-robin takes endpoints of weights ${weights.join(', ')} in the order ${order}`, async (t) => {
    const { proxy } = await startMany(t, weights, { balancer: 'round-robin' })

    assert.equal(await ask(proxy, order.length), order)
  })
}

test('round-robin keeps to its turns for requests that come at once', async (t) => {
  const { proxy, origins } = await startMany(t, [1, 1, 1, 1], { balancer: 'round-robin' })

  await Promise.all(Array.from({ length: 100 }, () => proxy.get('/x')))

  assert.deepEqual(origins.map(({ hits }) => hits), [25, 25, 25, 25])
})

// Five standard deviations to each side: once in two million runs.
const shares: [weights: number[], low: number[], high: number[]][] = [
  [[1, 1, 1], [84, 84, 84], [183, 183, 183]],
  [[3, 1], [256, 57], [343, 144]]
]

for (const [weights, low, high] of shares) {
  test(`power-of-two gives idle endpoints of weights ${weights.join(', ')} their shares`, async (t) => {
    const { proxy, origins } = await startMany(t, weights, {})

    await ask(proxy, 400)

    const hits = origins.map((one) => one.hits)
    assert.ok(hits.every((count, index) => count >= low[index]! && count <= high[index]!), hits.join(', '))
  })
}

const wrongKeys = [
  ['a promise', async () => 'ann'],
  ['a promise that rejects', () => Promise.reject(new Error('rejected'))],
  ['a plain object', () => ({})]
] as [string, HashOptions['key']][]

for (const [what, key] of wrongKeys) {
  test(`a key of hash that is ${what} is answered with 500, and the log names the option`, async (t) => {
    const { proxy, origins } = await startMany(t, [1, 1], { balancer: { name: 'hash', key } })

    const { status, body } = await proxy.get('/x')

    assert.deepEqual([status, (JSON.parse(body) as { code: string }).code], [500, 'FST_SLUICE_INTERNAL_ERROR'])
    assert.match(JSON.stringify((await proxy.line())['err']), /`balancer\.key` must return a key, not/)
    assert.deepEqual(origins.map(({ hits }) => hits), [0, 0])
    assert.equal(proxy.app.proxy.explain({ url: '/x' }).refusal, null)
  })
}

test('an exchange is load until the last byte of its body: power-of-two keeps away from an endpoint with a long download', async (t) => {
  const finish: (() => void)[] = []
  const origins = await Promise.all([0, 1].map((index) => origin(t, (req, res) => {
    res.writeHead(200)
    res.write(String(index))
    if (req.url === '/download') finish.push(() => { res.end() })
    else res.end()
  })))
  const proxy = await start(t, { upstreams: { pair: origins.map(({ url }) => url) }, routes: [{ url: '/*', upstream: 'pair' }] })
  const client = await connect(t, proxy.port)
  client.write('GET /download HTTP/1.1\r\nHost: proxy.test\r\n\r\n')
  await client.until('\r\n\r\n')
  const busy = origins.findIndex(({ hits }) => hits === 1)

  const during = await ask(proxy, 30)
  finish[0]!()
  const download = await client.response()
  const after = await ask(proxy, 60)

  assert.equal(during, String(1 - busy).repeat(30))
  assert.equal(download.body.toString(), String(busy))
  assert.ok(after.includes(String(busy)), after)
})

test('exchanges that fail, or whose clients leave, are no load any more', async (t) => {
  const upstream = await origin(t, (req, res) => {
    if (req.url === '/reset') req.socket.resetAndDestroy()
    else if (req.url === '/cut') res.writeHead(200, { 'content-length': 10 }).write('half', () => { req.socket.destroy() })
  })
  const proxy = await start(t, { upstreams: { one: upstream.url }, routes: [{ url: '/*', upstream: 'one' }] })
  const endpoint = proxy.app.proxy.snapshot!.upstreams.get('one')!.state.endpoints[0]!

  for (const path of ['/reset', '/cut', '/reset', '/cut']) {
    await proxy.get(path)
    await proxy.line()
  }
  for (let n = 0; n < 4; n++) {
    const client = await connect(t, proxy.port)
    client.write('GET /hang HTTP/1.1\r\nHost: proxy.test\r\n\r\n')
    await upstream.arrived(5 + n)
    assert.equal(endpoint.active, 1)
    client.socket.destroy()
    await proxy.line()
  }

  assert.equal(endpoint.active, 0)
})
