import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import { answer, echo, hang, origin, refusedPort, reset, tlsOrigin } from '../helpers/origin.ts'
import { start } from '../helpers/proxy.ts'
import { ca, server } from '../helpers/tls.ts'

const methods: [method: string, body: string | undefined][] = [
  ['GET', undefined],
  ['HEAD', undefined],
  ['DELETE', undefined],
  ['OPTIONS', undefined],
  ['POST', undefined],
  ['POST', 'a body'],
  ['PUT', 'a body'],
  ['PATCH', 'a body'],
  ['DELETE', 'a body']
]

for (const [method, body] of methods) {
  test(`a ${method} ${body === undefined ? 'without' : 'with'} a body goes to another endpoint when connecting fails: nothing was sent`, async (t) => {
    const well = await origin(t, echo())
    const proxy = await start(t, {
      upstreams: { pair: { endpoints: [`http://127.0.0.1:${await refusedPort()}`, well.url], balancer: 'round-robin' } },
      routes: [{ url: '/*', upstream: 'pair' }]
    })

    // The first of a round robin is the one that refuses.
    const response = await proxy.request('/x', { method, ...(body !== undefined && { body, headers: { 'content-length': body.length } }) })

    assert.equal(response.status, 200)
    assert.deepEqual(well.requests.map((request) => [request.method, request.body.toString(), request.complete]), [[method, body ?? '', true]])
    const line = await proxy.line()
    assert.deepEqual({ attempts: line['attempts'], error: line['error'], endpoint: line['endpoint'] }, { attempts: 2, error: '', endpoint: well.url })
  })
}

test('a large upload arrives whole at the endpoint to which it went the second time', async (t) => {
  const well = await origin(t, answer(200, 'all of it'))
  const proxy = await start(t, {
    upstreams: { pair: { endpoints: [`http://127.0.0.1:${await refusedPort()}`, well.url], balancer: 'round-robin' } },
    routes: [{ url: '/*', upstream: 'pair' }]
  })
  const body = Buffer.alloc(5 * 1024 * 1024, 'sluice')

  const response = await proxy.request('/x', { method: 'POST', body })

  assert.equal(response.body, 'all of it')
  assert.equal(well.requests[0]?.body.equals(body), true)
})

test('the second attempt never goes to the endpoint that has just failed while there is another', async (t) => {
  const well = await origin(t, answer(200))
  const proxy = await start(t, {
    upstreams: { pair: { endpoints: [`http://127.0.0.1:${await refusedPort()}`, well.url] } },
    routes: [{ url: '/*', upstream: 'pair' }]
  })

  const seen = new Set<number>()
  for (let n = 0; n < 40; n++) {
    assert.equal((await proxy.get('/x')).status, 200)
    seen.add((await proxy.line())['attempts'])
  }

  // power-of-two drew both as the first, and the failed one was never drawn twice.
  assert.deepEqual([...seen].sort(), [1, 2])
  assert.equal(well.hits, 40)
})

test('a request is tried twice at most, however many endpoints there are', async (t) => {
  const ports = await Promise.all([refusedPort(), refusedPort(), refusedPort(), refusedPort()])
  const proxy = await start(t, {
    upstreams: { many: { endpoints: ports.map((port) => `http://127.0.0.1:${port}`), balancer: 'round-robin' } },
    routes: [{ url: '/*', upstream: 'many' }]
  })

  const response = await proxy.get('/x')

  assert.equal(response.status, 502)
  const line = await proxy.line()
  assert.equal(line['attempts'], 2)
  assert.equal(line['error'], 'connection_refused')
})

test('the only endpoint is tried again after a failure to connect', async (t) => {
  const upstream = await tlsOrigin(t, server, answer(200, 'second time lucky'))
  // Gone before the handshake is done.
  upstream.server.once('connection', (socket: Socket) => { socket.destroy() })
  const proxy = await start(t, {
    upstreams: { one: { endpoints: [upstream.url], pool: { tls: { ca } } } },
    routes: [{ url: '/*', upstream: 'one' }]
  })

  const response = await proxy.get('/x')

  assert.equal(response.body, 'second time lucky')
  assert.equal(upstream.connections, 2)
})

for (const [what, step] of [['resets the connection', reset()], ['answers 503', answer(503, 'busy', { 'retry-after': '1' })], ['answers 502', answer(502)], ['answers 504', answer(504)]] as const) {
  test(`a request that reached an upstream which ${what} is not sent again`, async (t) => {
    const sick = await origin(t, step)
    const other = await origin(t, hang())
    const proxy = await start(t, {
      upstreams: { pair: { endpoints: [sick.url, other.url], balancer: 'round-robin' } },
      routes: [{ url: '/*', upstream: 'pair' }]
    })

    const response = await proxy.get('/x')

    const isAnswer = what !== 'resets the connection'
    assert.equal(response.status, isAnswer ? Number(what.slice(-3)) : 502)
    assert.deepEqual([sick.hits, other.hits], [1, 0])
    const line = await proxy.line()
    // What an upstream says is no error of the gateway's.
    assert.deepEqual({ attempts: line['attempts'], error: line['error'] }, { attempts: 1, error: isAnswer ? '' : 'connection_terminated' })
  })
}
