import assert from 'node:assert/strict'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { SpanKind, SpanStatusCode } from '@opentelemetry/api'
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base'
import type { ProxyOptions } from '../../types/index.ts'
import { connect } from '../helpers/client.ts'
import { answer, cutBody, hang, origin, refusedPort, reset, type Step, tlsOrigin } from '../helpers/origin.ts'
import { start, type Started } from '../helpers/proxy.ts'
import * as tls from '../helpers/tls.ts'
import { socketFolder, unixDoor } from '../helpers/unix.ts'
import { parse, registerSdk } from './trace-sdk.ts'

const { spans } = registerSdk()

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
const parent = '00f067aa0ba902b7'
const traceparent = `00-${traceId}-${parent}-01`

/** The one span of a GET that an upstream treats so. */
async function spanOf (t: TestContext, step: Step, options: ProxyOptions = {}): Promise<ReadableSpan> {
  const upstream = await origin(t, step)
  const app = await start(t, { upstream: upstream.url, ...options })
  await app.get('/x', { traceparent })
  const [span] = await spans.until(1)
  assert.equal(spans.started, 1)
  return span!
}

test('an attempt is a CLIENT span with what was asked of whom', async (t) => {
  const upstream = await origin(t, answer(201, 'made'))
  const app = await start(t, {
    upstreams: { orders: `${upstream.url}/base`, next: upstream.url },
    routes: [{ url: '/orders/*', upstream: 'orders', canary: { name: 'beta', upstream: 'next', header: 'x-canary' } }]
  })

  await app.request('/orders/7?token=secret', { method: 'PUT', headers: { traceparent } })
  await app.request('/orders/7', { method: 'POST', headers: { 'x-canary': '1' } })
  const [stable, canary] = await spans.until(2)

  assert.equal(stable!.name, 'PUT')
  assert.equal(stable!.kind, SpanKind.CLIENT)
  assert.equal(stable!.instrumentationScope.name, 'fastify-sluice')
  assert.equal(stable!.parentSpanContext?.spanId, parent)
  assert.deepEqual(stable!.attributes, {
    'http.request.method': 'PUT',
    'http.response.status_code': 201,
    'url.scheme': 'http',
    'url.full': `${upstream.url}/base/orders/7`,
    'server.address': '127.0.0.1',
    'server.port': upstream.port,
    'network.peer.address': '127.0.0.1',
    'network.peer.port': upstream.port,
    'network.protocol.version': '1.1',
    'sluice.connection.reused': false,
    'sluice.route': '/orders/*',
    'sluice.upstream': 'orders',
    'sluice.endpoint': upstream.url,
    'sluice.variant': 'stable'
  })
  assert.deepEqual(stable!.status, { code: SpanStatusCode.UNSET })
  assert.equal(canary!.attributes['sluice.variant'], 'beta')
  assert.equal(canary!.attributes['sluice.upstream'], 'next')
})

test('the span names the method that is sent, not the one that came', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, { adHoc: { origins: () => true }, routes: [] }, { after: (app) => { app.get('/x', (_request, reply) => reply.proxy(upstream.url, { method: 'DELETE' })) } })

  await app.get('/x')
  const [span] = await spans.until(1)

  assert.deepEqual([span!.name, span!.attributes['http.request.method'], upstream.requests[0]!.method], ['DELETE', 'DELETE', 'DELETE'])
})

test('a Unix socket is its path, and has no port', async (t) => {
  const upstream = await origin(t, answer(200))
  const door = await unixDoor(t, join(await socketFolder(t), 'app.sock'), upstream.port)
  const app = await start(t, { upstream: door.url })

  await app.get('/x?token=secret')
  const [span] = await spans.until(1)

  const names = ['url.scheme', 'url.full', 'server.address', 'server.port', 'network.transport', 'network.peer.address', 'network.peer.port', 'sluice.endpoint']
  assert.deepEqual(names.map((name) => span!.attributes[name]), ['http', `${door.url}:/x`, door.path, undefined, 'unix', door.path, undefined, door.url])
})

test('an address of version 6 is named without its brackets', async (t) => {
  const app = await start(t, { upstream: `http://[::1]:${await refusedPort()}` })

  await app.get('/x')
  const [span] = await spans.until(1)

  assert.equal(span!.attributes['server.address'], '::1')
})

test('an attempt that is made again is a second span, beside the first', async (t) => {
  const upstream = await origin(t, answer(200, 'ok'))
  const sick = `http://127.0.0.1:${await refusedPort()}`
  const app = await start(t, { upstream: { endpoints: [sick, upstream.url], balancer: 'round-robin' } })

  const response = await app.get('/x', { traceparent, tracestate: 'a=1' })
  const [first, second] = await spans.until(2)

  assert.equal(response.body, 'ok')
  assert.equal(spans.started, 2)
  for (const span of [first!, second!]) {
    assert.deepEqual([span.spanContext().traceId, span.parentSpanContext?.spanId], [traceId, parent])
  }
  assert.deepEqual(first!.status, { code: SpanStatusCode.ERROR, message: 'connection_refused' })
  assert.equal(first!.attributes['error.type'], 'connection_refused')
  assert.equal(first!.attributes['http.request.resend_count'], undefined)
  assert.equal(first!.attributes['sluice.endpoint'], sick)
  assert.equal(first!.attributes['http.response.status_code'], undefined)
  assert.equal(second!.status.code, SpanStatusCode.UNSET)
  assert.equal(second!.attributes['http.request.resend_count'], 1)
  assert.equal(second!.attributes['sluice.retry.reason'], 'connection_refused')
  assert.equal(second!.attributes['sluice.endpoint'], upstream.url)
  // What the upstream saw is the second's, once.
  assert.equal(parse(upstream.requests[0]!.headers['traceparent']).spanId, second!.spanContext().spanId)
  assert.equal(upstream.requests[0]!.headers['tracestate'], 'a=1')
})

const outcomes: { what: string, step: Step, status: number | undefined, type: string | undefined, options?: ProxyOptions }[] = [
  { what: 'a redirection', step: answer(302, '', { location: '/y' }), status: 302, type: undefined },
  { what: 'not found', step: answer(404), status: 404, type: '404' },
  { what: 'an error of the upstream', step: answer(503), status: 503, type: '503' },
  { what: 'a connection that breaks off before the answer', step: reset(), status: undefined, type: 'connection_terminated' },
  { what: 'a connection that breaks off in the body', step: cutBody(100, 10), status: 200, type: 'http_response_incomplete' },
  { what: 'no answer in time', step: hang(), status: undefined, type: 'http_response_timeout', options: { timeouts: { head: 50 } } }
]

for (const { what, step, status, type, options } of outcomes) {
  test(`a span tells how its attempt ended: ${what}`, async (t) => {
    const span = await spanOf(t, step, options)

    assert.equal(span.attributes['http.response.status_code'], status)
    assert.equal(span.attributes['error.type'], type)
    assert.equal(span.status.code, type === undefined ? SpanStatusCode.UNSET : SpanStatusCode.ERROR)
  })
}

test('a span tells a connection that was there from one that was made, and how it is secured', async (t) => {
  const upstream = await tlsOrigin(t, tls.server, answer(200))
  const app = await start(t, { upstream: { endpoints: [upstream.url], pool: { tls: { ca: tls.ca } } } })

  await app.get('/x')
  await app.get('/x')
  const [first, second] = await spans.until(2)

  assert.deepEqual([first!, second!].map(({ attributes }) => attributes['sluice.connection.reused']), [false, true])
  for (const { attributes } of [first!, second!]) {
    assert.deepEqual([attributes['url.scheme'], attributes['tls.protocol.name'], attributes['tls.protocol.version']], ['https', 'tls', '1.3'])
  }
})

test('a method that nobody knows is not the name of a span', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, { upstream: upstream.url }, { before: (app) => { app.addHttpMethod('MKCOL', { hasBody: true }) } })

  await app.request('/x', { method: 'MKCOL' })
  const [span] = await spans.until(1)

  assert.deepEqual([span!.name, span!.attributes['http.request.method'], span!.attributes['http.request.method_original']], ['HTTP', '_OTHER', 'MKCOL'])
})

test('a hook that changes the method changes the name of the span', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, { upstream: upstream.url, onProxyRequest: (head) => { head.method = 'POST' } })

  await app.get('/x')
  const [span] = await spans.until(1)

  assert.deepEqual([span!.name, span!.attributes['http.request.method'], upstream.requests[0]!.method], ['POST', 'POST', 'POST'])
})

test('a hook that throws leaves a span that says where and why', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, { upstreams: { main: upstream.url }, routes: [{ url: '/x', upstream: 'main', onProxyRequest: () => { throw new Error('no') } }] })

  assert.equal((await app.get('/x')).status, 500)
  const [span] = await spans.until(1)

  assert.deepEqual(['sluice.route', 'sluice.upstream', 'sluice.variant', 'server.port', 'error.type'].map((name) => span!.attributes[name]), ['/x', 'main', 'stable', upstream.port, 'internal_error'])
  assert.deepEqual(span!.status, { code: SpanStatusCode.ERROR, message: 'internal_error' })
})

test('a client that leaves is no error of the upstream\'s', async (t) => {
  const upstream = await origin(t, hang())
  const app = await start(t, { upstream: upstream.url })
  const client = await connect(t, app.port)

  client.write('GET /x HTTP/1.1\r\nHost: a\r\n\r\n')
  await upstream.arrived(1)
  client.reset()
  const [span] = await spans.until(1)

  assert.equal(span!.status.code, SpanStatusCode.UNSET)
  assert.equal(span!.attributes['error.type'], undefined)
})

test('a span ends with the last byte of the body, not with the head', async (t) => {
  let finish = (): void => {}
  const upstream = await origin(t, (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/plain' })
    response.write('begin')
    finish = () => { response.end('end') }
  })
  const app = await start(t, { upstream: upstream.url })
  const client = await connect(t, app.port)

  client.write('GET /x HTTP/1.1\r\nHost: a\r\n\r\n')
  await client.until('begin')
  assert.deepEqual([spans.started, spans.ended.length], [1, 0])
  finish()
  const [[span], { body }] = await Promise.all([spans.until(1), client.response()])

  assert.equal(body.toString(), 'beginend')
  assert.equal(span!.attributes['http.response.status_code'], 200)
})

const unsent: Record<string, (app: Started) => Promise<unknown>> = {
  'the code of the route throws': (app) => app.get('/throws'),
  'the request has passed here before': (app) => app.get('/loop'),
  'the path is not one to forward': (app) => app.get('/x/%2e%2e/y')
}

for (const [what, act] of Object.entries(unsent)) {
  test(`no span is left open when ${what}`, async (t) => {
    const upstream = await origin(t, answer(200))
    let self = ''
    const app = await start(t, { adHoc: { origins: () => true }, routes: [] }, {
      after: (app) => {
        app.proxy.route({ url: '/x/*', upstream: upstream.url })
        app.proxy.route({ url: '/throws', upstream: upstream.url, onProxyRequest: () => { throw new Error('no') } })
        app.get('/loop', (_request, reply) => reply.proxy(self))
        app.addHook('onListen', async () => { self = `http://127.0.0.1:${(app.server.address() as { port: number }).port}` })
      }
    })

    await act(app)
    // A request that is well, so that whatever was to end has ended.
    await app.get('/x/y')
    await spans.until(spans.started)

    assert.equal(spans.ended.length, spans.started)
    assert.equal(upstream.hits, 1)
  })
}

test('an upstream that goes while the client still reads leaves no span open', async (t) => {
  const upstream = await origin(t, cutBody(null, 100_000, 'reset'))
  const app = await start(t, { upstream: upstream.url })
  const client = await connect(t, app.port, { keep: false })

  client.write('GET /x HTTP/1.1\r\nHost: a\r\n\r\n')
  await client.closed
  const [span] = await spans.until(1)

  assert.equal(span!.attributes['error.type'], 'http_response_incomplete')
})
