import assert from 'node:assert/strict'
import { createServer as createHttp2Server, type OutgoingHttpHeaders, type ServerHttp2Session } from 'node:http2'
import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo, Server, Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import type { FastifyServerOptions } from 'fastify'
import type { PoolOptions, UpstreamOptions } from '../../types/index.ts'
import { connect, raw, type RawResponse } from '../helpers/client.ts'
import { rawOrigin, speak } from '../helpers/origin.ts'
import { launch } from '../helpers/program.ts'
import { start } from '../helpers/proxy.ts'
import { assertFails, startSick } from './error-outcome.ts'

/* pool.maxHeaderSize bounds the head of an answer, in both protocols alike. */

const protocols = ['http1', 'h2'] as const
type Protocol = typeof protocols[number]

/** Fields of so many bytes, none of them long by itself. */
function fields (bytes: number): Record<string, string> {
  const all: Record<string, string> = {}
  for (let rest = bytes, index = 0; rest > 0; rest -= 4000, index++) all[`x-${index}`] = 'x'.repeat(Math.min(rest, 4000))
  return all
}

function bytesOf (headers: Record<string, unknown>): number {
  return Object.entries(headers).reduce((sum, [name, value]) => /^x-\d/.test(name) ? sum + String(value).length : sum, 0)
}

/** Answers `/n` with about n bytes of head, in the status line's company of a few more. */
async function large (t: TestContext, protocol: Protocol): Promise<string> {
  const answer = (path: string, respond: (headers: OutgoingHttpHeaders) => void): void => { respond(fields(Number(/\d+/.exec(path)?.[0] ?? 0))) }
  const server = protocol === 'h2'
    ? createHttp2Server({ maxSendHeaderBlockLength: 2 ** 22 }).on('stream', (stream, headers) => {
      stream.on('error', () => {})
      answer(headers[':path']!, (extra) => { stream.respond({ ':status': 200, ...extra }) })
      stream.end('ok')
    })
    : createServer((request, response) => { answer(request.url!, (extra) => { response.writeHead(200, extra).end('ok') }) })
  await listen(t, server, protocol)
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** A session is cut and not its socket: Node 24 ends the process over a session whose socket was destroyed beneath it. */
async function listen (t: TestContext, server: Server, protocol: Protocol): Promise<void> {
  const connections = new Set<Socket | ServerHttp2Session>()
  server.on(protocol === 'h2' ? 'session' : 'connection', (connection: Socket | ServerHttp2Session) => { connections.add(connection) })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    for (const connection of connections) connection.destroy()
    server.close()
  })
}

/** Not by Node's client, which takes no longer heads than its server. */
function get (t: TestContext, port: number, path: string): Promise<RawResponse> {
  return raw(t, port, `GET ${path} HTTP/1.1\r\nHost: proxy.test\r\n\r\n`)
}

function to (url: string, protocol: Protocol, pool: PoolOptions = {}): UpstreamOptions {
  return { endpoints: [url], pool: { protocol, ...pool } }
}

const tooLong = { status: 502, error: 'http_response_header_section_size', phase: 'responseHeaders' }

for (const protocol of protocols) {
  for (const [what, pool, passes, fails] of [
    ['16 KiB by default', {}, 15_000, 17_000],
    ['more, where the pool takes more', { maxHeaderSize: 100_000 }, 95_000, 101_000],
    ['less, where it takes less', { maxHeaderSize: 2000 }, 1500, 2001]
  ] as const) {
    test(`the head of an answer has ${what} (${protocol})`, async (t) => {
      const url = await large(t, protocol)
      const proxy = await startSick(t, to(url, protocol, pool))

      const response = await get(t, proxy.port, `/sick/${passes}`)
      assert.deepEqual([response.status, bytesOf(response.headers), response.body.toString()], [200, passes, 'ok'])
      await proxy.line()
      await assertFails(t, proxy, tooLong, `GET /sick/${fails} HTTP/1.1\r\nHost: proxy.test\r\n\r\n`)
    })
  }

  test(`a head that is too long is nobody's failure, and is not asked for again (${protocol})`, async (t) => {
    const urls = [await large(t, protocol), await large(t, protocol)]
    const proxy = await start(t, {
      upstreams: { a: { endpoints: urls, pool: { protocol }, breaker: { consecutiveFailures: 1 }, outlier: { consecutiveFailures: 1, minimumRequests: 1 } } },
      routes: [{ url: '/*', upstream: 'a', retry: { on: ['connect', 'stale', 'reset', 'timeout'] } }]
    })

    for (let count = 0; count < 6; count++) {
      assert.equal(JSON.parse((await proxy.get('/40000')).body).code, 'FST_SLUICE_HTTP_RESPONSE_HEADER_SECTION_SIZE')
      assert.equal((await proxy.line())['attempts'], 1)
    }

    const { endpoints } = proxy.app.proxy.stats().upstreams['a']!
    assert.deepEqual(endpoints.map(({ breaker, ejectedFor }) => [breaker, ejectedFor]), [['closed', 0], ['closed', 0]])
    assert.equal((await proxy.get('/10')).status, 200)
  })

  test(`health checks take what requests take (${protocol})`, async (t) => {
    const url = await large(t, protocol)
    const proxy = await start(t, {
      upstreams: {
        large: { ...to(url, protocol, { maxHeaderSize: 100_000 }), health: { path: '/60000', interval: 60_000, fall: 1, waitForHealthy: 5000 } }
      },
      routes: [{ url: '/*', upstream: 'large' }]
    })

    assert.equal(proxy.app.proxy.stats().upstreams['large']!.endpoints[0]!.health, 'healthy')
  })

  test(`upstreams of one origin that take different heads share no connection (${protocol})`, async (t) => {
    const url = await large(t, protocol)
    const proxy = await start(t, {
      upstreams: { small: to(url, protocol), large: to(url, protocol, { maxHeaderSize: 100_000 }) },
      routes: [{ url: '/small/*', upstream: 'small' }, { url: '/large/*', upstream: 'large' }]
    })

    const statuses: number[] = []
    for (const path of ['/large/60000', '/small/60000', '/large/60000']) statuses.push((await get(t, proxy.port, path)).status)

    assert.deepEqual(statuses, [200, 502, 200])
  })
}

test('over HTTP/2 a head that no setting could let through is too long as well, and the next request goes on', async (t) => {
  const url = await large(t, 'h2')
  const proxy = await startSick(t, to(url, 'h2', { maxHeaderSize: 2 ** 20 }))

  await assertFails(t, proxy, tooLong, 'GET /sick/400000 HTTP/1.1\r\nHost: proxy.test\r\n\r\n')

  assert.equal((await proxy.get('/sick/10')).status, 200)
})

test('over HTTP/2 heads of more frames than nghttp2 takes do not end the process when the garbage collector takes their sessions', async (t) => {
  const program = launch(t, 'test/behaviour/endless-head-program.js')
  assert.deepEqual([await program.exited, program.stdout], [0, '{"200":1,"502":149}\n'], program.stderr)
})

test('over HTTP/2 a head that is too long gives its stream back, with a body behind it that nobody reads', async (t) => {
  const server = createHttp2Server({ maxSendHeaderBlockLength: 2 ** 22, settings: { maxConcurrentStreams: 1 } }).on('stream', (stream, headers) => {
    stream.on('error', () => {})
    stream.respond({ ':status': 200, ...fields(headers[':path'] === '/long' ? 40_000 : 10) })
    stream.end('ok')
  })
  await listen(t, server, 'h2')
  const proxy = await start(t, {
    upstreams: { one: to(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, 'h2', { connections: 1 }) },
    routes: [{ url: '/*', upstream: 'one' }]
  })

  const statuses: number[] = []
  for (const path of ['/long', '/long', '/short']) statuses.push((await get(t, proxy.port, path)).status)

  assert.deepEqual(statuses, [502, 502, 200])
})

test('a long head of a 304 has its length taken out, where the pool takes such heads', async (t) => {
  const lines = Object.entries(fields(60_000)).map(([name, value]) => `${name}: ${value}\r\n`).join('')
  const upstream = await rawOrigin(t, speak(`HTTP/1.1 304 Not Modified\r\n${lines}Content-Length: 7\r\n\r\n`))
  const proxy = await start(t, { upstream: to(upstream.url, 'http1', { maxHeaderSize: 100_000 }) })

  for (let count = 0; count < 2; count++) {
    const { status, headers } = await get(t, proxy.port, '/')
    assert.deepEqual([status, bytesOf(headers), headers['content-length']], [304, 60_000, '7'])
  }
  // undici closes a connection whose length it has seen.
  assert.equal(upstream.connections, 1)
})

for (const protocol of protocols) {
  test(`what the app lets a client send reaches its upstream (${protocol})`, async (t) => {
    let seen = 0
    const server = protocol === 'h2'
      ? createHttp2Server({ maxHeaderListPairs: 2000, settings: { maxHeaderListSize: 2 ** 20 } }).on('stream', (stream, headers) => {
        seen = bytesOf(headers)
        stream.respond({ ':status': 200 })
        stream.end('ok')
      })
      : createServer({ maxHeaderSize: 2 ** 20 }, (request, response) => {
        seen = bytesOf(request.headers)
        response.end('ok')
      })
    await listen(t, server, protocol)
    const proxy = await start(t, { upstream: to(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, protocol) }, { fastify: { http: { maxHeaderSize: 2 ** 20 } } as FastifyServerOptions })
    const client = await connect(t, proxy.port)

    client.write(`GET / HTTP/1.1\r\nHost: a\r\n${Object.entries(fields(100_000)).map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`)

    assert.equal((await client.response()).status, 200)
    assert.equal(seen, 100_000)
  })
}

for (const maxHeaderSize of [0, -1, 1.5, '16384', 2 ** 25]) {
  test(`a limit of ${JSON.stringify(maxHeaderSize)} is refused at start`, async (t) => {
    const options = { upstream: { endpoints: ['http://a'], pool: { maxHeaderSize } } } as unknown as Parameters<typeof start>[1]
    await assert.rejects(start(t, options), ({ problems }: { problems: { path: string }[] }) => {
      assert.deepEqual(problems.map(({ path }) => path), ['upstream.pool.maxHeaderSize'])
      return true
    })
  })
}
