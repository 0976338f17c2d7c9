import assert from 'node:assert/strict'
import test from 'node:test'
import { connect } from '../helpers/client.ts'
import { fairly } from '../helpers/fair.ts'
import { answer, hang, origin, rawOrigin } from '../helpers/origin.ts'
import { start, type Started } from '../helpers/proxy.ts'
import { handshake, webSocket, webSocketOrigin } from '../helpers/websocket.ts'

/* Advisories about upgrades. What each could do to a process or a user, it does not do here, and the next client is served. */

const status = async (t: test.TestContext, app: Started, path: string, lines: string[] = []): Promise<number> => {
  const client = await connect(t, app.port)
  client.write(handshake(path, lines))
  return (await client.response()).status
}

test('CVE-2026-15631 (http-proxy 11.6.0), CVE-2026-16117: an upgrade goes through the same path policy as every request', async (t) => {
  const upstream = await webSocketOrigin(t)
  const app = await start(t, { prefix: '/api', upstream: upstream.url, websocket: true })

  for (const path of ['/api/../admin', '/api/%2e%2e/admin', '/api/..%2fadmin', '/api/..;/admin', '/api/..\\admin', '/%61pi/x', '/api//../admin', '//evil/api/x']) {
    assert.ok([400, 404].includes(await status(t, app, path)), path)
  }
  assert.deepEqual(upstream.requests.length, 0)
  assert.equal(await status(t, app, '/api/x'), 101)
})

test('CVE-2026-130647 GHSA-6fhg-8r33-fcww (http-proxy 11.6.10): a pipelined upgrade does not stop the process', async (t) => {
  const plain = await origin(t, (_req, res) => { setTimeout(() => res.end('plain'), 50) })
  const upstream = await webSocketOrigin(t)
  const app = await start(t, { routes: [{ url: '/plain', upstream: plain.url }, { url: '/ws', upstream: upstream.url, websocket: true }] })

  for (const behind of [handshake('/ws'), handshake('/plain'), handshake('/none'), handshake('/ws') + handshake('/ws')]) {
    const client = await connect(t, app.port)
    client.write(`GET /plain HTTP/1.1\r\nHost: x\r\n\r\n${behind}`)
    assert.equal((await client.response()).body.toString(), 'plain')
    client.reset()
  }
  await webSocket(t, `${app.url}/ws`)
})

test('CVE-2026-129500 GHSA-q659-79j2-32h5 (http-proxy 11.6.10): a client that resets at any moment of its upgrade does not stop the process', (t) => fairly(60, async () => {
  const silent = await origin(t, hang())
  const upstream = await webSocketOrigin(t)
  const app = await start(t, {
    // An upstream that says nothing to a client that is gone is waited for no longer than to any other.
    defaults: { timeouts: { head: 300 } },
    routes: [
      { url: '/slow', upstream: upstream.url, websocket: true, preHandler: async () => { await new Promise((resolve) => setTimeout(resolve, 20)) } },
      { url: '/silent', upstream: silent.url, websocket: true },
      { url: '/ws', upstream: upstream.url, websocket: true }
    ]
  })

  for (const path of ['/slow', '/silent', '/ws', '/none']) {
    for (const wait of [0, 10]) {
      const client = await connect(t, app.port)
      client.write(handshake(path) + '\x81\x80\0\0\0\0')
      await new Promise((resolve) => setTimeout(resolve, wait))
      client.reset()
    }
  }
  await webSocket(t, `${app.url}/ws`)
  await silent.idle()
}))

test('CVE-2026-129502 GHSA-29w6-p7r8-xmf9 (http-proxy 11.6.10): a fragment in the target of an upgrade is refused, and throws nowhere', async (t) => {
  const upstream = await webSocketOrigin(t)
  const app = await start(t, { upstream: upstream.url, websocket: true })

  for (const path of ['/x#y', '/#', '/x?a#b', '/x%23#']) assert.equal(await status(t, app, path), 400, path)
  assert.equal(upstream.requests.length, 0)
  await webSocket(t, `${app.url}/x`)
})

test('CVE-2026-133111 GHSA-w3r4-6w5h-3vrc (http-proxy 11.6.10), CVE-2026-112085: Origin reaches the upstream, and allowedOrigins keeps others out', async (t) => {
  const upstream = await webSocketOrigin(t)
  const app = await start(t, { routes: [{ url: '/any', upstream: upstream.url, websocket: true }, { url: '/own', upstream: upstream.url, websocket: { allowedOrigins: ['https://app.example'] } }] })

  assert.equal(await status(t, app, '/any', ['Origin: https://evil.example']), 101)
  await upstream.until('the handshake', () => upstream.requests.length > 0)
  assert.equal(upstream.requests[0]!.headers.origin, 'https://evil.example')
  assert.deepEqual([await status(t, app, '/own', ['Origin: https://evil.example']), await status(t, app, '/own', ['Origin: https://app.example'])], [403, 101])
})

test('CVE-2022-39386 GHSA-4pcg-wr6c-h9cq (@fastify/websocket 7.1.1), CVE-2026-1526, -1528, -2229, -12151 (undici): frames are not read here, so that none can do harm', async (t) => {
  const upstream = await webSocketOrigin(t)
  const app = await start(t, { upstream: upstream.url, websocket: true })

  for (const frame of ['\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff', '\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff', '\x88\x01\0', '\xc1\x80\0\0\0\0', '\x8f\x80\0\0\0\0']) {
    const client = await connect(t, app.port)
    client.write(handshake('/x') + frame)
    assert.equal((await client.response()).status, 101)
    // The upstream's library refuses what it cannot read, and that ends both sides.
    await client.closed
  }
  await webSocket(t, `${app.url}/x`)
})

test('RFC 9113, h2c smuggling: an offer of h2c is not forwarded, and opens no tunnel past the hooks', async (t) => {
  const upstream = await rawOrigin(t, async (socket) => { socket.on('data', (chunk) => { socket.write(/upgrade: h2c/i.test(chunk.toString()) ? 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n' : 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok') }) })
  const seen = await origin(t, answer(200))
  const app = await start(t, { routes: [{ url: '/x', upstream: upstream.url, websocket: true }, { url: '/y', upstream: seen.url }] })

  for (const path of ['/x', '/y']) {
    const client = await connect(t, app.port)
    client.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n`)
    assert.equal((await client.response()).status, 200, path)
  }
})
