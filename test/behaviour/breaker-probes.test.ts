import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { BreakerOptions, Endpoint, RouteOptions } from '../../types/index.ts'
import { connect, raw } from '../helpers/client.ts'
import { answer, hang, origin, type Origin } from '../helpers/origin.ts'
import { start, type Started } from '../helpers/proxy.ts'
import { eventually } from '../helpers/until.ts'
import { handshake, webSocketOrigin } from '../helpers/websocket.ts'

/*
 * What an upstream is to everybody else while somebody holds a stream open, or asks for what makes it break its connection.
 */

interface Rig { upstream: Origin, app: Started, endpoint: Endpoint, break (): void, mend (): void, open (): Promise<void> }

/** One endpoint behind a breaker that is open soon and half-open soon, and that breaks every connection while it is told to. */
async function rig (t: TestContext, breaker: BreakerOptions = {}, route: Partial<RouteOptions> = {}): Promise<Rig> {
  let isBroken = false
  const upstream = await origin(t, (req, res) => {
    if (isBroken) req.socket.destroy()
    else if (req.url === '/events') res.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n')
    else if (req.url === '/never') req.resume()
    else answer(200, 'well')(req, res, 0)
  })
  const app = await start(t, {
    upstreams: {
      one: { endpoints: [upstream.url], outlier: false, breaker: { consecutiveFailures: 2, halfOpenAfter: 50, counts: 'all', ...breaker } }
    },
    routes: [{ url: '/*', upstream: 'one', retry: false, ...route }]
  })
  const endpoint = app.app.proxy.upstream('one')!.state.endpoints[0]!
  return {
    upstream,
    app,
    endpoint,
    break: () => { isBroken = true },
    mend: () => { isBroken = false },
    async open () {
      isBroken = true
      while (endpoint.breaker === 'closed') await app.get('/x')
      isBroken = false
      await eventually('the breaker to be half-open', () => endpoint.breaker === 'half-open')
    }
  }
}

async function stream (t: TestContext, { port }: Started, path = '/events'): Promise<void> {
  const client = await connect(t, port)
  client.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`)
  await client.until('data: 1')
}

test('a stream that was open before the breaker opened does not keep its probe out', async (t) => {
  const { app, endpoint, open } = await rig(t)
  await stream(t, app)
  await open()

  assert.equal((await app.get('/x')).body, 'well')
  assert.deepEqual([endpoint.breaker, endpoint.active], ['closed', 1])
})

test('a probe that is a stream closes the breaker with its head', async (t) => {
  const { app, endpoint, open } = await rig(t)
  await open()
  await stream(t, app)

  assert.equal(endpoint.breaker, 'closed')
  assert.equal((await app.get('/x')).body, 'well')
})

test('a probe that is a WebSocket closes the breaker with its 101', async (t) => {
  const upstream = await webSocketOrigin(t)
  const app = await start(t, {
    upstreams: { one: { endpoints: [upstream.url], outlier: false, breaker: { halfOpenAfter: 50 } } },
    routes: [{ url: '/*', upstream: 'one', websocket: true }]
  })
  const endpoint = app.app.proxy.upstream('one')!.state.endpoints[0]!
  Object.assign(endpoint, { breaker: 'half-open', breakerSince: performance.now() })

  assert.equal((await raw(t, app.port, handshake('/x'))).status, 101)
  assert.equal(endpoint.breaker, 'closed')
})

test('a probe whose client holds it keeps others out for no longer than halfOpenAfter', async (t) => {
  const { app, endpoint, open } = await rig(t, { halfOpenAfter: 200 }, { timeouts: { head: 0 } })
  await open()
  const slow = await connect(t, app.port)
  slow.write('POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\na')
  await eventually('the probe', () => endpoint.probing === 1)

  assert.equal((await app.get('/x')).status, 503, 'one at a time')
  await eventually('another probe', async () => (await app.get('/x')).body === 'well')
  assert.equal(endpoint.breaker, 'closed')
})

test('a probe whose client leaves lets the next one in at once', async (t) => {
  const { app, endpoint, open } = await rig(t, { halfOpenAfter: 600 })
  await open()
  const client = await connect(t, app.port)
  client.write('GET /never HTTP/1.1\r\nHost: x\r\n\r\n')
  await eventually('the probe', () => endpoint.probing === 1)
  client.reset()
  await eventually('its end', () => endpoint.probing === 0)

  assert.equal(endpoint.breaker, 'half-open')
  assert.equal((await app.get('/x')).body, 'well')
})

test('requests over which an upstream breaks its connection take it from nobody else, by default', async (t) => {
  const upstream = await origin(t, (req, res, n) => {
    if (req.url === '/poison') req.socket.resetAndDestroy()
    else answer(200, 'well')(req, res, n)
  })
  const app = await start(t, { upstream: upstream.url })

  for (let n = 0; n < 30; n++) {
    assert.equal((await app.get('/poison')).status, 502)
    assert.equal((await app.get('/x')).body, 'well')
  }
  await Promise.all(Array.from({ length: 20 }, () => app.get('/poison')))
  assert.equal((await app.get('/x')).body, 'well')
})

test('of several endpoints the last is left, whatever one client asks for', async (t) => {
  const poison = (name: string): Promise<Origin> => origin(t, (req, res, n) => {
    if (req.url === '/poison') req.socket.resetAndDestroy()
    else answer(200, name)(req, res, n)
  })
  const upstreams = await Promise.all(['a', 'b', 'c'].map(poison))
  const app = await start(t, { upstreams: { some: upstreams.map(({ url }) => url) }, routes: [{ url: '/*', upstream: 'some' }] })

  for (let n = 0; n < 60; n++) await app.get('/poison')

  for (let n = 0; n < 10; n++) assert.equal((await app.get('/x')).status, 200)
})

test('an endpoint that cannot be connected to opens its breaker, also where it is the only one', async (t) => {
  const { upstream, app, endpoint } = await rig(t, { counts: 'connect', halfOpenAfter: 600_000 })
  assert.equal((await app.get('/x')).status, 200)
  await upstream.close()

  for (let n = 0; endpoint.breaker === 'closed' && n < 10; n++) await app.get('/x')
  assert.equal(JSON.parse((await app.get('/x')).body).code, 'FST_SLUICE_CIRCUIT_OPEN')
})

test('a canary whose only probe is under way is empty: its requests go to the stable side', async (t) => {
  const canary = await origin(t, hang())
  const stable = await origin(t, answer(200, 'stable'))
  const canaries = await start(t, {
    upstreams: { next: { endpoints: [canary.url], outlier: false, breaker: { halfOpenAfter: 600_000 } }, main: stable.url },
    routes: [
      { url: '/x', upstream: 'main', canary: { upstream: 'next', weight: 100 } },
      { url: '/never', upstream: 'main', canary: { upstream: 'next', weight: 100 } },
      { url: '/strict', upstream: 'main', canary: { upstream: 'next', weight: 100, onEmpty: 'fail' } }
    ]
  })
  const next = canaries.app.proxy.upstream('next')!.state.endpoints[0]!
  Object.assign(next, { breaker: 'half-open', breakerSince: performance.now() })
  const probe = await connect(t, canaries.port)
  probe.write('GET /never HTTP/1.1\r\nHost: x\r\n\r\n')
  await eventually('the probe', () => next.probing === 1)

  assert.equal((await canaries.get('/x')).body, 'stable')
  assert.equal((await canaries.get('/strict')).status, 503)
})

for (const connections of [1, 2]) {
  test(`a canary whose probe is under way is empty with ${connections} connections: nobody waits for the one that is in use`, async (t) => {
    const canary = await origin(t, hang())
    const stable = await origin(t, answer(200, 'stable'))
    const breaker = { halfOpenAfter: 600_000 }
    const app = await start(t, {
      upstreams: { next: { endpoints: [canary.url], outlier: false, breaker, pool: { connections } }, main: stable.url },
      routes: [
        { url: '/*', upstream: 'main', canary: { upstream: 'next', weight: 100 } },
        { url: '/strict', upstream: 'main', canary: { upstream: 'next', weight: 100, onEmpty: 'fail' } }
      ]
    })
    const next = app.app.proxy.upstream('next')!.state.endpoints[0]!
    Object.assign(next, { breaker: 'half-open', breakerSince: performance.now() })
    const probe = await connect(t, app.port)
    probe.write('GET /never HTTP/1.1\r\nHost: x\r\n\r\n')
    await eventually('the probe', () => next.probing === 1)

    assert.equal((await app.get('/x')).body, 'stable')
    assert.equal(JSON.parse((await app.get('/strict')).body).code, 'FST_SLUICE_CIRCUIT_OPEN')
  })
}

test('a canary that is half-open while streams of before have all of its connections is empty', async (t) => {
  const canary = await origin(t, (_req, res) => { res.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n') })
  const stable = await origin(t, answer(200, 'stable'))
  const app = await start(t, {
    upstreams: { next: { endpoints: [canary.url], outlier: false, pool: { connections: 1 } }, main: stable.url },
    routes: [{ url: '/*', upstream: 'main', canary: { upstream: 'next', weight: 100 } }]
  })
  await stream(t, app)
  const next = app.app.proxy.upstream('next')!.state.endpoints[0]!
  Object.assign(next, { breaker: 'half-open', breakerSince: performance.now() })

  assert.equal((await app.get('/x')).body, 'stable')
})

test('a canary with one connection has its probe as soon as it is half-open, however the attempt before it ended', async (t) => {
  let isBroken = true
  const canary = await origin(t, (req, res, n) => {
    if (isBroken) req.socket.destroy()
    else answer(200, 'canary')(req, res, n)
  })
  const stable = await origin(t, answer(200, 'stable'))
  const breaker: BreakerOptions = { consecutiveFailures: 1, halfOpenAfter: 50, counts: 'all' }
  const app = await start(t, {
    upstreams: { next: { endpoints: [canary.url], outlier: false, breaker, pool: { connections: 1 } }, main: stable.url },
    routes: [{ url: '/x', upstream: 'main', retry: false, canary: { upstream: 'next', weight: 100 } }]
  })
  const next = app.app.proxy.upstream('next')!.state.endpoints[0]!
  await app.get('/x')
  isBroken = false
  await eventually('the breaker to be half-open', () => next.breaker === 'half-open')

  assert.equal((await app.get('/x')).body, 'canary')
})

test('of requests that come in one turn and count on one probe of a canary, the rest goes to the stable side', async (t) => {
  const slow = await origin(t, (req, res, n) => { setTimeout(() => { answer(200, 'canary')(req, res, n) }, 50) })
  const stable = await origin(t, answer(200, 'stable'))
  const app = await start(t, {
    upstreams: { next: { endpoints: [slow.url], outlier: false, breaker: { halfOpenAfter: 600_000 } }, main: stable.url },
    routes: [{ url: '/x', upstream: 'main', canary: { upstream: 'next', weight: 100 } }]
  })
  const endpoint = app.app.proxy.upstream('next')!.state.endpoints[0]!
  Object.assign(endpoint, { breaker: 'half-open', breakerSince: performance.now() })
  const client = await connect(t, app.port)

  // A body that comes with its head waits for the next tick, in which the others choose as well.
  const requests = Array.from({ length: 5 }, () => 'POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na').join('')
  client.write(requests)
  const others = await Promise.all(Array.from({ length: 5 }, () => app.request('/x', { method: 'POST', body: 'a' })))
  const bodies = others.map(({ body }) => body)
  for (let n = 0; n < 5; n++) bodies.push((await client.response()).body.toString())

  assert.ok(bodies.every((body) => body === 'canary' || body === 'stable'), bodies.join())
  assert.ok(bodies.includes('stable'))
})
