import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import type { PoolOptions, ProxyOptions } from '../../types/index.ts'
import { connectProxy, type ConnectProxy, type OnConnect } from '../helpers/connect-proxy.ts'
import { http2Origin, reflect, reply, tlsHttp2Origin } from '../helpers/http2.ts'
import { answer, blackhole, echo, origin, refusedPort, tlsOrigin } from '../helpers/origin.ts'
import { start } from '../helpers/proxy.ts'
import { ca, client, otherCa, server as identity } from '../helpers/tls.ts'
import { eventually } from '../helpers/until.ts'
import { webSocket, webSocketOrigin } from '../helpers/websocket.ts'
import { assertFails, startSick, type Row } from './error-outcome.ts'

/** Resolves once the proxy has no connection left. */
function unconnected ({ server }: ConnectProxy): Promise<boolean> {
  return eventually('no connection to the proxy', () => new Promise<boolean>((resolve) => { server.getConnections((_error, count) => { resolve(count === 0) }) }))
}

interface Upstream { url: string, port: number, protocol: 'http1' | 'h2' }

const upstreams: readonly (readonly [what: string, make: (t: TestContext) => Promise<Upstream>])[] = [
  ['http, HTTP/1.1', async (t) => { const { url, port } = await origin(t, echo()); return { url, port, protocol: 'http1' } }],
  ['https, HTTP/1.1', async (t) => { const { url, port } = await tlsOrigin(t, identity, echo()); return { url, port, protocol: 'http1' } }],
  ['http, HTTP/2', async (t) => { const { url } = await http2Origin(t, reflect()); return { url, port: Number(new URL(url).port), protocol: 'h2' } }],
  ['https, HTTP/2', async (t) => { const { url } = await tlsHttp2Origin(t, identity, reflect()); return { url, port: Number(new URL(url).port), protocol: 'h2' } }]
]

for (const [what, make] of upstreams) {
  for (const scheme of ['http', 'https']) {
    test(`reaches an upstream (${what}) through an ${scheme} proxy, and says who asks`, async (t) => {
      const { url, port, protocol } = await make(t)
      const proxy = await connectProxy(t, undefined, scheme === 'https' ? identity : undefined)
      const through = proxy.url.replace('//', '//ada:hunter2@')
      const gateway = await start(t, { upstream: { endpoints: [url.replace('127.0.0.1', 'localhost')], pool: { protocol, proxy: through, tls: { ca } } } })

      const responses = [await gateway.request('/a', { method: 'POST', body: Buffer.alloc(200_000, 'x') }), await gateway.get('/b')]

      assert.deepEqual(responses.map(({ status }) => status), [200, 200])
      const seen = JSON.parse(responses[0]!.body) as { body: string, headers: Record<string, string> }
      assert.equal(seen.body.length, 200_000)
      assert.equal(seen.headers['host'] ?? seen.headers[':authority'], `localhost:${port}`)
      assert.equal(seen.headers['proxy-authorization'], undefined)
      // One connection for both.
      assert.deepEqual(proxy.heads, [`CONNECT localhost:${port} HTTP/1.1\r\nHost: localhost:${port}\r\nProxy-Authorization: Basic YWRhOmh1bnRlcjI=\r\n\r\n`])
    })
  }

  test(`health checks and warm connections go through the proxy as well (${what})`, async (t) => {
    const { url, protocol } = await make(t)
    const proxy = await connectProxy(t)
    const gateway = await start(t, {
      upstreams: { a: { endpoints: [url], pool: { protocol, proxy: proxy.url, tls: { ca }, warm: 2 }, health: { interval: 60_000, waitForHealthy: 5000 } } },
      routes: [{ url: '/*', upstream: 'a' }]
    })
    const [endpoint] = gateway.app.proxy.stats().upstreams['a']!.endpoints

    assert.deepEqual([endpoint!.health, endpoint!.connections.warm], ['healthy', 2])
    assert.equal((await gateway.get('/')).status, 200)
    assert.equal(proxy.heads.length, 3)
  })
}

test('a WebSocket goes through it', async (t) => {
  const upstream = await webSocketOrigin(t)
  const proxy = await connectProxy(t)
  const gateway = await start(t, { upstream: { endpoints: [upstream.url], pool: { proxy: proxy.url } }, websocket: true })
  const socket = await webSocket(t, `${gateway.url}/chat`)

  for (const text of ['hello', 'x'.repeat(200_000)]) {
    socket.socket.send(text)
    assert.equal((await socket.next()).toString(), text)
  }
  socket.socket.close(4001, 'done')

  assert.deepEqual(await socket.closed, { code: 4001, reason: 'done' })
  assert.equal(proxy.heads.length, 1)
})

test('what the endpoint says before it is asked, in one piece with the answer of the proxy, is not lost', async (t) => {
  // An HTTP/2 server begins by itself, with its settings.
  const upstream = await http2Origin(t, reply(200, 'ok'))
  let first = ''
  const proxy = await connectProxy(t, (_head, socket, open) => {
    const { write } = socket
    socket.write = ((chunk: Buffer | string) => {
      first ||= String(chunk)
      return write.call(socket, chunk)
    }) as Socket['write']
    open(true)
  })
  const gateway = await start(t, { upstream: { endpoints: [upstream.url], pool: { protocol: 'h2', proxy: proxy.url } } })

  assert.equal((await gateway.get('/')).body, 'ok')
  assert.ok(first.startsWith('HTTP/1.1 200') && !first.endsWith('\r\n\r\n'), 'it came with the answer')
})

test('what an HTTP/1.1 endpoint says before it is asked is nobody\'s answer', async (t) => {
  const upstream = await origin(t, answer(200, 'ok'))
  const late = 'HTTP/1.1 408 Request Timeout\r\nContent-Length: 4\r\n\r\nlate'
  const proxy = await connectProxy(t, (_head, socket, open) => {
    if (proxy.heads.length === 1) socket.end(`HTTP/1.1 200 OK\r\n\r\n${late}`)
    else open()
  })
  const gateway = await start(t, { upstream: { endpoints: [upstream.url], pool: { proxy: proxy.url, warm: 1 } } })

  await eventually('another connection', () => proxy.heads.length >= 2)

  assert.equal((await gateway.get('/')).body, 'ok')
})

const refusing: readonly (readonly [what: string, onConnect: OnConnect, row: Omit<Row, 'phase'>, cause: RegExp])[] = [
  ['407', (_head, socket) => { socket.end('HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="x"\r\nContent-Length: 0\r\n\r\n') }, { status: 502, error: 'connection_refused' }, /answered CONNECT with 407/],
  ['403 and a page', (_head, socket) => { socket.write('HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\n\r\nno!!!') }, { status: 502, error: 'connection_refused' }, /403/],
  ['502', (_head, socket) => { socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n') }, { status: 502, error: 'connection_refused' }, /502/],
  ['504', (_head, socket) => { socket.end('HTTP/1.1 504 Gateway Timeout\r\n\r\n') }, { status: 504, error: 'connection_timeout' }, /504/],
  ['garbage', (_head, socket) => { socket.write('SSH-2.0-OpenSSH\r\n') }, { status: 502, error: 'http_protocol_error' }, /no HTTP/],
  ['a head that is cut off', (_head, socket) => { socket.end('HTTP/1.1 200 OK\r\nX: ') }, { status: 502, error: 'connection_terminated' }, /closed the connection before it answered CONNECT/],
  ['nothing', (_head, socket) => { socket.end() }, { status: 502, error: 'connection_terminated' }, /closed the connection before it answered CONNECT/],
  ['a reset', (_head, socket) => { socket.resetAndDestroy() }, { status: 502, error: 'connection_terminated' }, /ECONNRESET/],
  ['a head without end', (_head, socket) => { socket.write(`HTTP/1.1 200 OK\r\n${'X: y\r\n'.repeat(5000)}`) }, { status: 502, error: 'http_protocol_error' }, /too long/],
  ['nothing in time', () => {}, { status: 504, error: 'connection_timeout' }, /no connection within 200 ms/],
  ['a drop at a time', (_head, socket) => {
    socket.write('HTTP/1.1 200 OK\r\n')
    const timer = setInterval(() => { socket.write('X: y\r\n') }, 20)
    socket.on('close', () => { clearInterval(timer) })
  }, { status: 504, error: 'connection_timeout' }, /no connection within 200 ms/]
]

for (const [what, onConnect, row, cause] of refusing) {
  for (const protocol of ['http1', 'h2'] as const) {
    test(`a proxy that answers CONNECT with ${what} is a connection that could not be made (${protocol})`, async (t) => {
      const upstream = protocol === 'http1' ? await origin(t, answer(200)) : await http2Origin(t, reply(200))
      const proxy = await connectProxy(t, onConnect)
      const gateway = await startSick(t, { endpoints: [upstream.url], pool: { protocol, proxy: proxy.url.replace('//', '//ada:hunter2@'), connectTimeout: 200 } })

      const line = await assertFails(t, gateway, { ...row, phase: 'connect' }, 'POST /sick/x HTTP/1.1\r\nHost: proxy.test\r\nContent-Length: 2\r\n\r\nhi')

      assert.match(JSON.stringify(line['err']), cause)
      // Nothing was sent: a POST is tried again too.
      assert.equal(line['attempts'], 2)
      await unconnected(proxy)
      assert.equal(JSON.stringify(gateway.logs).includes('hunter2') || JSON.stringify(gateway.logs).includes('YWRhOmh1bnRlcjI'), false)
    })
  }
}

test('a proxy that cannot be reached is as good as an endpoint that cannot', async (t) => {
  const upstream = await origin(t, answer(200))
  const refused = await startSick(t, { endpoints: [upstream.url], pool: { proxy: `http://127.0.0.1:${await refusedPort()}` } })
  await assertFails(t, refused, { status: 502, error: 'connection_refused', phase: 'connect' })
  const late = await startSick(t, { endpoints: [upstream.url], pool: { proxy: (await blackhole(t)).url, connectTimeout: 100 } })
  await assertFails(t, late, { status: 504, error: 'connection_timeout', phase: 'connect' })
  assert.equal(upstream.hits, 0)
})

test('the certificate of an endpoint behind a proxy is checked, and its own name is', async (t) => {
  const upstream = await tlsOrigin(t, identity, answer(200))
  const proxy = await connectProxy(t)
  const gateway = await startSick(t, { endpoints: [upstream.url], pool: { proxy: proxy.url, tls: { ca: otherCa } } })

  await assertFails(t, gateway, { status: 502, error: 'tls_certificate_error', phase: 'connect' })

  assert.equal(upstream.hits, 0)
  await unconnected(proxy)
})

test('the certificate of an https proxy is checked, before it is told anything', async (t) => {
  const upstream = await origin(t, answer(200))
  const proxy = await connectProxy(t, undefined, identity)
  const gateway = await startSick(t, { endpoints: [upstream.url], pool: { proxy: proxy.url.replace('//', '//ada:hunter2@') } })

  await assertFails(t, gateway, { status: 502, error: 'tls_certificate_error', phase: 'connect' })

  assert.deepEqual(proxy.heads, [])
})

test('a client certificate is shown to the endpoint, and not to the proxy', async (t) => {
  let toProxy: unknown = 'nothing was asked'
  const upstream = await tlsOrigin(t, { ...identity, ca, requestCert: true }, answer(200, 'known'))
  const proxy = await connectProxy(t, (_head, socket, open) => {
    toProxy = (socket as unknown as { getPeerCertificate (): unknown }).getPeerCertificate()
    open()
  }, { ...identity, ca, requestCert: true })
  const gateway = await start(t, { upstream: { endpoints: [upstream.url], pool: { proxy: proxy.url, tls: { ca, ...client } } } })

  assert.equal((await gateway.get('/')).body, 'known')
  assert.deepEqual(toProxy, {})
})

test('endpoints with another proxy, or another password for it, share no connection', async (t) => {
  const upstream = await origin(t, answer(200, 'ok'))
  const proxy = await connectProxy(t)
  const pools: PoolOptions[] = [{}, { proxy: proxy.url }, { proxy: proxy.url.replace('//', '//a:x@') }, { proxy: proxy.url.replace('//', '//a:y@') }]
  const gateway = await start(t, {
    upstreams: Object.fromEntries(pools.map((pool, index) => [`u${index}`, { endpoints: [upstream.url], pool }])),
    routes: pools.map((_pool, index) => ({ url: `/${index}`, upstream: `u${index}` }))
  })

  for (const index of pools.keys()) assert.equal((await gateway.get(`/${index}`)).body, 'ok')

  assert.deepEqual(proxy.heads.map((head) => /Basic (\S+)/.exec(head)?.[1] ?? null), [null, 'YTp4', 'YTp5'])
  assert.equal(upstream.connections, 4)
})

test('what is in the URL of a proxy is told nowhere', async (t) => {
  const upstream = await origin(t, answer(200, 'ok'))
  const proxy = await connectProxy(t)
  const lines: string[] = []
  const gateway = await start(t, {
    upstreams: { a: { endpoints: [upstream.url], pool: { proxy: proxy.url.replace('//', '//ada:hunter2@') } } },
    routes: [{ url: '/*', upstream: 'a', expose: true }]
  }, { fastify: { logger: { level: 'trace', stream: { write (line: string) { lines.push(line) } } } } })

  const response = await gateway.get('/')
  const { proxy: control } = gateway.app
  const told = [
    response.rawHeaders, lines, control.stats(), control.explain({ url: '/' }), await control.metrics.prometheus(), control.slowest(),
    [...(control.upstream('a')!.state.endpoints)].map(({ pool, ...rest }) => Object.entries(rest).map(([name, value]) => `${name} ${typeof value === 'object' ? '' : String(value)}`))
  ].map((one) => JSON.stringify(one)).join('\n')

  assert.equal(response.body, 'ok')
  for (const secret of ['hunter2', 'ada:', 'YWRhOmh1bnRlcjI']) assert.equal(told.includes(secret), false, secret)
})

const refused: readonly (readonly [what: string, proxy: unknown, message: RegExp])[] = [
  ['no URL', 'proxy:3128', /URL of a proxy/], ['another scheme', 'socks5://ada:hunter2@proxy', /URL of a proxy/], ['a path', 'http://ada:hunter2@proxy/x', /without path and query/],
  ['a query', 'http://ada:hunter2@proxy?x', /without path and query/], ['a port that is none', 'http://ada:hunter2@proxy:99999', /URL of a proxy/],
  ['a broken password', 'http://ada:hunter2%@proxy', /percent-encoding/], ['a URL object', new URL('http://ada:hunter2@proxy'), /must be a string/], ['a list', ['http://ada:hunter2@proxy'], /must be a string/]
]

for (const [what, proxy, message] of refused) {
  test(`a proxy with ${what} is refused at start, and nothing of it is said`, async (t) => {
    const options = { upstreams: { a: { endpoints: ['http://a'], pool: { proxy } } }, routes: [] } as unknown as ProxyOptions

    await assert.rejects(start(t, options), (error: Error & { problems: { path: string, message: string }[] }) => {
      assert.deepEqual(error.problems.map(({ path }) => path), ['upstreams.a.pool.proxy'])
      assert.match(error.problems[0]!.message, message)
      assert.equal((error.message + String(error.stack) + JSON.stringify(error.problems)).includes('hunter2'), false)
      return true
    })
  })
}

test('closing the app ends tunnels that are being made', async (t) => {
  const upstream = await origin(t, answer(200))
  const silent: ConnectProxy = await connectProxy(t, () => {})
  const gateway = await start(t, { upstream: { endpoints: [upstream.url], pool: { proxy: silent.url, connectTimeout: 60_000 } } })
  const answered = gateway.get('/').catch(() => null)
  await eventually('the request to the proxy', () => silent.heads.length === 1)

  const startedAt = performance.now()
  gateway.app.server.closeAllConnections()
  await gateway.app.close()
  await answered

  assert.ok(performance.now() - startedAt < 10_000)
})
