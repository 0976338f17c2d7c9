import assert from 'node:assert/strict'
import test from 'node:test'
import { type FastifyReply, type FastifyServerOptions, LogController } from 'fastify'
import { connect } from '../helpers/client.ts'
import { answer, drip, hang, origin, refusedPort } from '../helpers/origin.ts'
import { isAccessLine, start } from '../helpers/proxy.ts'
import { eventually, later } from '../helpers/until.ts'

const levels = { debug: 20, info: 30, warn: 40 }

test('writes one line per exchange with what it was and how it went', async (t) => {
  const upstream = await origin(t, answer(201, 'created'))
  const app = await start(t, { upstreams: { main: upstream.url }, routes: [{ url: '/users/:id', upstream: 'main', rewrite: '/v2/u/:id' }] })

  await app.request('/users/7?token=secret', { method: 'POST', body: 'hello' })
  const { level, time, pid, hostname, reqId, trace_id: traceId, span_id: spanId, durations, ...rest } = await app.line()

  assert.deepEqual(rest, {
    route: '/users/:id',
    upstream: 'main',
    endpoint: upstream.url,
    variant: 'stable',
    method: 'POST',
    path: '/users/7',
    upstreamPath: '/v2/u/7',
    status: 201,
    error: '',
    flags: '',
    attempts: 1,
    reusedSocket: false,
    bytesIn: 5,
    bytesOut: 7,
    protocol: '1.1',
    msg: 'proxied'
  })
  assert.equal(level, levels.info)
  assert.ok([time, pid, hostname, reqId, traceId, spanId].every((value) => value !== undefined))
  for (const part of ['total', 'queue', 'connect', 'requestBody', 'ttfb', 'responseBody']) assert.ok(durations[part] >= 0, part)
  assert.ok(durations['total'] >= durations['queue'] + durations['connect'] + durations['requestBody'] + durations['ttfb'])
  // Neither the query nor a second line.
  assert.ok(!JSON.stringify(app.logs).includes('secret'))
  assert.equal(app.logs.filter((line) => 'reqId' in line).length, 1)
})

test('is written once the last byte is out', async (t) => {
  let finish = (): void => {}
  const upstream = await origin(t, (_request, response) => {
    response.writeHead(200).write('a'.repeat(1000))
    finish = () => { response.end('b'.repeat(1000)) }
  })
  const app = await start(t, { upstream: upstream.url })
  const client = await connect(t, app.port)

  client.write('GET /x HTTP/1.1\r\nHost: x\r\n\r\n')
  await client.until('aaa')
  const begun = performance.now()
  await new Promise(resolve => { later(() => resolve(null), 60) })
  assert.equal(app.logs.filter(isAccessLine).length, 0)
  const held = performance.now() - begun
  finish()
  await client.response()

  const { bytesOut, durations } = await app.line()
  assert.equal(bytesOut, 2000)
  // As it is rounded.
  assert.ok(durations['responseBody'] >= held - 0.01, `${durations['responseBody']} ms of ${held}`)
})

test('tells a connection that carried exchanges before from a new one', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, { upstream: upstream.url })

  await app.get('/x')
  await app.get('/x')

  assert.deepEqual([(await app.line())['reusedSocket'], (await app.line())['reusedSocket']], [false, true])
})

test('an upstream that fails is a warning, with the cause that no client is told', async (t) => {
  const port = await refusedPort()
  const app = await start(t, { upstream: `http://127.0.0.1:${port}` })

  const { body } = await app.get('/x')
  const line = await app.line()

  assert.deepEqual([line['level'], line['status'], line['upstreamStatus'], line['error'], line['phase'], line['attempts']], [levels.warn, 502, null, 'connection_refused', 'connect', 2])
  assert.ok(JSON.stringify(line['err']).includes(`ECONNREFUSED 127.0.0.1:${port}`))
  assert.ok(!body.includes(`${port}`))
})

test('an answer of the upstream is no failure of the proxy, whatever its status', async (t) => {
  const upstream = await origin(t, answer(404), answer(500), answer(503))
  const app = await start(t, { upstream: upstream.url })

  for (const status of [404, 500, 503]) {
    assert.equal((await app.get('/x')).status, status)
    const line = await app.line()
    assert.deepEqual([line['level'], line['status'], line['error']], [levels.info, status, ''])
  }
})

test('a client that leaves is told of at debug, as 499', async (t) => {
  const upstream = await origin(t, hang())
  const app = await start(t, { upstream: upstream.url })
  const client = await connect(t, app.port)

  client.write('GET /x HTTP/1.1\r\nHost: x\r\n\r\n')
  await upstream.arrived(1)
  client.reset()
  const line = await app.line()

  assert.deepEqual([line['level'], line['status'], line['upstreamStatus'], line['error'], line['aborted']], [levels.debug, 499, null, 'client_closed_request', true])
})

test('a client that sends what cannot be forwarded is told of at info, with the reason', async (t) => {
  const app = await start(t, { upstream: 'http://127.0.0.1:9' })

  assert.equal((await app.get('/..;/x')).status, 400)
  const line = await app.line()

  assert.deepEqual([line['level'], line['status'], line['error'], line['endpoint'], line['attempts']], [levels.info, 400, 'http_request_error', null, 0])
  assert.ok(JSON.stringify(line['err']).includes('request target'))
})

test('a request that a hook of the route refused has its line too', async (t) => {
  const app = await start(t, { upstream: 'http://127.0.0.1:9', preHandler: async (_request, reply) => reply.code(401).send('no') })

  await app.get('/x')
  const line = await app.line()

  assert.deepEqual([line['level'], line['status'], line['error'], line['endpoint'], line['attempts'], line['upstreamPath']], [levels.info, 401, '', null, 0, ''])
})

for (const [what, hook] of Object.entries<(reply: FastifyReply) => unknown>({
  answers: (reply) => reply.code(401).send('no'),
  throws: () => { throw Object.assign(new Error('no'), { statusCode: 401 }) }
})) {
  test(`a request that a hook of the whole app ${what} has its line too, before the plugin has seen it`, async (t) => {
    const app = await start(t, { upstreams: { main: 'http://127.0.0.1:9' }, routes: [{ url: '/users/:id', upstream: 'main' }] }, {
      before: (app) => { app.addHook('onRequest', async (_request, reply) => hook(reply)) }
    })

    assert.equal((await app.get('/users/7?token=1', { traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' })).status, 401)
    const line = await app.line()

    assert.deepEqual(['level', 'route', 'upstream', 'path', 'status', 'error', 'attempts', 'trace_id'].map((name) => line[name]), [levels.info, '/users/:id', 'main', '/users/7', 401, '', 0, '4bf92f3577b34da6a3ce929d0e0e4736'])
    assert.ok(line['durations'].total >= 0)
    assert.equal(app.logs.filter(isAccessLine).length, 1)
  })
}

test('stands beside the two lines of Fastify only where those are not disabled', async (t) => {
  const upstream = await origin(t, answer(200))
  for (const disableRequestLogging of [false, true]) {
    const app = await start(t, { upstream: upstream.url }, { fastify: { logController: new LogController({ disableRequestLogging }) } })

    await app.get('/x')
    await app.line()
    if (!disableRequestLogging && !app.logs.some(({ msg }) => msg === 'request completed')) await app.line('request completed')

    const messages = app.logs.filter((line) => 'reqId' in line).map(({ msg }) => msg).sort()
    assert.deepEqual(messages, disableRequestLogging ? ['proxied'] : ['incoming request', 'proxied', 'request completed'])
  }
})

test('a logger that is its own child gets every line: of accesses, events and errors, and the warnings', async (t) => {
  const lines: unknown[][] = []
  const write = (...line: unknown[]): void => { lines.push(line) }
  const levels = Object.fromEntries(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'].map((level) => [level, write]))
  const log: object = { level: 'debug', ...levels, child: () => log }
  const upstream = await origin(t, answer(200, 'ok'))
  const down = `http://127.0.0.1:${await refusedPort()}`
  const app = await start(t, {
    upstreams: {
      up: upstream.url,
      pair: { endpoints: [down, upstream.url], outlier: { consecutiveFailures: 1 } },
      none: { endpoints: [{ origin: down, weight: 0 }] }
    },
    routes: [{ url: '/up', upstream: 'up' }, { url: '/pair', upstream: 'pair' }, { url: '/none', upstream: 'none' }]
  }, {
    fastify: { logger: undefined, loggerInstance: log } as unknown as FastifyServerOptions,
    after: (app) => { app.get('/own', (_request, reply) => reply.proxy('nowhere')) }
  })
  const messages = (): unknown[] => lines.map((line) => line[1])

  await app.get('/up')
  while (!messages().includes('endpoint ejected')) await app.get('/pair')
  await app.get('/none')
  await app.get('/own')
  app.app.proxy.metrics.register({ registerMetric () { throw new Error('full') } })

  const idle = 'every endpoint of the upstream has weight 0: its requests are answered with 503'
  for (const message of ['proxied', 'endpoint ejected', idle, 'reply.proxy', 'a metric could not be registered']) {
    await eventually(message, () => messages().includes(message))
  }
  await eventually('the line of a failure', () => lines.some(([fields]) => (fields as { error?: string }).error === 'no_healthy_upstream'))
})

test('works without a logger', async (t) => {
  const upstream = await origin(t, answer(200, 'ok'))
  const app = await start(t, { upstream: upstream.url }, { fastify: { logger: false } })

  assert.equal((await app.get('/x')).body, 'ok')
  assert.deepEqual(app.logs, [])
})

for (const [what, write] of Object.entries<(line: string) => unknown>({
  throws: (line) => { if (line.includes('proxied')) throw new Error('no space left') },
  'takes nothing any more': () => false
})) {
  test(`a log stream that ${what} changes nothing for clients`, async (t) => {
    const upstream = await origin(t, answer(200, 'ok'), drip(['a', 'b'], 5), answer(200, 'ok'))
    const app = await start(t, { routes: [{ url: '/up', upstream: upstream.url }, { url: '/down', upstream: `http://127.0.0.1:${await refusedPort()}` }] }, {
      fastify: { logger: { level: 'debug', stream: { write } } }
    })

    const responses = [await app.get('/up'), await app.get('/up'), await app.get('/down'), await app.get('/up')]

    assert.deepEqual(responses.map(({ status, aborted }) => [status, aborted]), [[200, false], [200, false], [502, false], [200, false]])
    assert.deepEqual([responses[0]!.body, responses[1]!.body, responses[3]!.body], ['ok', 'ab', 'ok'])
  })
}
