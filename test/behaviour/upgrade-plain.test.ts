import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connect } from '../helpers/client.ts'
import { echo, origin, type Echo } from '../helpers/origin.ts'
import { start } from '../helpers/proxy.ts'
import { handshake, webSocket, webSocketOrigin } from '../helpers/websocket.ts'

const offer = 'Connection: Upgrade, HTTP2-Settings, X-Mine\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n'

// With a listener for upgrades Node hands over all of them, and reads neither the body nor what comes behind.
for (const websocket of [false, true]) {
  test(`serves an offer of HTTP/2 as a request, body and all that follows included (a route ${websocket ? 'wants' : 'does not want'} WebSocket)`, async (t) => {
    const upstream = await origin(t, echo())
    const proxy = await start(t, { upstream: upstream.url, websocket })
    const client = await connect(t, proxy.port)
    const body = 'x'.repeat(300_000)

    client.write(`POST /a?b=1 HTTP/1.1\r\nHost: x\r\n${offer}X-Mine: hop\r\nX-Kept: Ä\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
    const first = await client.response()
    client.write('GET /second HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    const second = await client.response()

    const seen = JSON.parse(first.body.toString()) as Echo
    assert.deepEqual([seen.method, seen.url, seen.body === body, seen.headers['x-kept'], seen.headers['x-mine']], ['POST', '/a?b=1', true, 'Ä', undefined])
    assert.deepEqual([seen.headers['upgrade'], seen.headers['http2-settings']], [undefined, undefined])
    assert.equal((JSON.parse(second.body.toString()) as Echo).url, '/second')
  })
}

// What is no WebSocket handshake, or is for a route that takes none, is no upgrade.
const others: [what: string, request: string][] = [
  ['a protocol that nobody speaks', 'GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: foo/2\r\n\r\n'],
  ['a handshake by POST', handshake('/ws').replace('GET', 'POST').replace('\r\n\r\n', '\r\nContent-Length: 0\r\n\r\n')],
  ['a handshake with a body', handshake('/ws', ['Content-Length: 3']) + 'abc'],
  ['a handshake of HTTP/1.0', handshake('/ws').replace('HTTP/1.1', 'HTTP/1.0')],
  ['a handshake for a route without WebSocket', handshake('/plain')]
]

for (const [what, text] of others) {
  test(`serves ${what} as an ordinary request`, async (t) => {
    const upstream = await origin(t, echo())
    const proxy = await start(t, { routes: [{ url: '/ws', upstream: upstream.url, websocket: true }, { url: '/plain', upstream: upstream.url }] })
    const client = await connect(t, proxy.port)
    client.write(text)

    const response = await client.response()

    assert.equal(response.status, 200)
    assert.equal((JSON.parse(response.body.toString()) as Echo).headers.upgrade, undefined)
  })
}

test('serves what is pipelined behind an upgrade that nobody wants, in order', async (t) => {
  const upstream = await origin(t, echo())
  const proxy = await start(t, { upstream: upstream.url, websocket: true })
  const client = await connect(t, proxy.port)

  client.write(`GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n${offer}\r\nGET /3 HTTP/1.1\r\nHost: x\r\n\r\n`)

  for (const url of ['/1', '/2', '/3']) assert.equal((JSON.parse((await client.response()).body.toString()) as Echo).url, url)
})

test('answers an upgrade for a Fastify route of the app’s own as that route does', async (t) => {
  const upstream = await webSocketOrigin(t)
  const proxy = await start(t, { upstream: upstream.url, websocket: true }, { after: (app) => { app.get('/health', async () => 'well') } })
  const client = await connect(t, proxy.port)
  client.write(handshake('/health'))

  const response = await client.response()

  assert.deepEqual([response.status, response.body.toString(), response.headers['connection']], [200, 'well', 'close'])
  assert.equal((await client.closed).clean, true)
})

test('listens for upgrades on every address that the app listens on, and no longer than it runs', async (t) => {
  const upstream = await webSocketOrigin(t)
  const proxy = await start(t, { upstream: upstream.url, websocket: true })
  assert.equal(proxy.app.server.listenerCount('upgrade'), 1)

  await proxy.app.close()

  assert.equal(proxy.app.server.listenerCount('upgrade'), 0)
})

test('leaves an upgrade alone that another listener has taken, or may still take', async (t) => {
  const upstream = await webSocketOrigin(t)
  const proxy = await start(t, { routes: [{ url: '/ws', upstream: upstream.url, websocket: true }] }, {
    after: (app) => {
      app.server.on('upgrade', (request, socket) => {
        if (request.url === '/late') setTimeout(() => { socket.end('HTTP/1.1 101 Late\r\n\r\n') }, 50)
        if (request.url === '/now') socket.end('HTTP/1.1 101 Now\r\n\r\n')
      })
    }
  })

  for (const [path, reason] of [['/late', 'Late'], ['/now', 'Now']] as const) {
    const client = await connect(t, proxy.port)
    client.write(handshake(path))
    assert.equal((await client.response()).reason, reason)
  }
  const client = await webSocket(t, `${proxy.url}/ws`)
  client.socket.send('ours')
  assert.equal((await client.next()).toString(), 'ours')
})

// Node loses those, where nobody listens for upgrades: the next answer must not be taken for theirs.
test('closes the connection behind an upgrade that nobody wants where something came with it, and only there', async (t) => {
  const upstream = await origin(t, echo())
  const proxy = await start(t, { upstream: upstream.url })
  const next = 'GET /next HTTP/1.1\r\nHost: x\r\n\r\n'
  for (const [text, connection] of [
    [`GET /a HTTP/1.1\r\nHost: x\r\n${offer}\r\n`, 'keep-alive'],
    [`GET /a HTTP/1.1\r\nHost: x\r\n${offer}\r\n${next}`, 'close'],
    [`POST /a HTTP/1.1\r\nHost: x\r\n${offer}Content-Length: 2\r\n\r\nok`, 'keep-alive'],
    [`POST /a HTTP/1.1\r\nHost: x\r\n${offer}Content-Length: 2\r\n\r\nok${next}`, 'close'],
    [`POST /a HTTP/1.1\r\nHost: x\r\n${offer}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n${next}`, 'close']
  ] as const) {
    const client = await connect(t, proxy.port)
    client.write(text)
    const response = await client.response()
    assert.deepEqual([response.status, response.headers['connection']], [200, connection], text)
    if (connection === 'close') {
      assert.equal((await client.closed).clean, true)
      continue
    }
    client.write(next)
    assert.equal((JSON.parse((await client.response()).body.toString()) as Echo).url, '/next')
  }
})
