import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connect } from '../helpers/client.ts'
import { answer, collectHead, origin, rawOrigin } from '../helpers/origin.ts'
import { start } from '../helpers/proxy.ts'
import { handshake, switching, webSocket, webSocketOrigin } from '../helpers/websocket.ts'

// What a client may get wrong, RFC 6455 4.2.1: answered here, since no upstream's 101 to it could be verified.
const clients: [what: string, lines: string[], status: number][] = [
  ['no key', ['Sec-WebSocket-Key: -'], 400],
  ['an empty key', ['Sec-WebSocket-Key: '], 400],
  ['a key that is too short', ['Sec-WebSocket-Key: c2hvcnQ='], 400],
  ['a key that is no base64', ['Sec-WebSocket-Key: !!!!!!!!!!!!!!!!!!!!!!=='], 400],
  ['two keys', ['Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='], 400],
  ['no version', ['Sec-WebSocket-Version: -'], 426],
  ['another version', ['Sec-WebSocket-Version: 8'], 426],
  ['two versions', ['Sec-WebSocket-Version: 13, 8'], 426]
]

for (const [what, lines, status] of clients) {
  test(`answers a handshake with ${what} with ${status}, without asking an upstream`, async (t) => {
    const upstream = await origin(t, answer(200))
    const proxy = await start(t, { upstream: upstream.url, websocket: true })
    const client = await connect(t, proxy.port)
    client.write(handshake('/x', lines))

    const response = await client.response()

    assert.equal(response.status, status)
    if (status === 426) assert.deepEqual([response.headers['sec-websocket-version'], response.headers['upgrade']], ['13', 'websocket'])
    await client.closed
    assert.equal(upstream.hits, 0)
    assert.equal((await proxy.line())['error'], 'http_request_error')
  })
}

for (const path of ['/a#b', '/../x', '/%2e%2e/x', '/a\\b', '/..;/x', '/%zz', 'http://evil@x/y', '*']) {
  test(`refuses the target ${path} of a handshake with 400`, async (t) => {
    const upstream = await origin(t, answer(200))
    const proxy = await start(t, { upstream: upstream.url, websocket: true })
    const client = await connect(t, proxy.port)
    client.write(handshake(path))

    assert.ok([400, 404].includes((await client.response()).status))
    assert.equal(upstream.hits, 0)
  })
}

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
// What an upstream may get wrong.
const upstreams: [what: string, answer: (head: string) => string, status: number, error: string][] = [
  ['the accept of another request', (head) => switching(head, ['Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=']), 502, 'http_upgrade_failed'],
  ['no accept', (head) => switching(head, ['Sec-WebSocket-Accept: -']), 502, 'http_upgrade_failed'],
  ['two accepts', (head) => switching(head).replace('\r\n\r\n', '\r\nSec-WebSocket-Accept: x\r\n\r\n'), 502, 'http_upgrade_failed'],
  ['another protocol', (head) => switching(head, ['Upgrade: h2c']), 502, 'http_upgrade_failed'],
  ['two protocols', (head) => switching(head, ['Upgrade: websocket, h2c']), 502, 'http_upgrade_failed'],
  ['no Upgrade', (head) => switching(head, ['Upgrade: -']), 502, 'http_upgrade_failed'],
  ['no Connection', (head) => switching(head, ['Connection: -']), 502, 'http_upgrade_failed'],
  ['bytes that are no HTTP', () => '\x88\x02\x03\xe9 and so on\r\n\r\n', 502, 'http_protocol_error'],
  ['an invalid field', () => 'HTTP/1.1 101 Switching Protocols\r\nUpgrade : websocket\r\n\r\n', 502, 'http_protocol_error'],
  ['a response that breaks off', () => 'HTTP/1.1 101 Switch', 502, 'connection_terminated']
]

for (const [what, reply, status, error] of upstreams) {
  test(`answers ${status} ${error} to an upstream that switches with ${what}, and closes its connection`, async (t) => {
    const upstream = await rawOrigin(t, async (socket) => {
      const text = reply(await collectHead(socket))
      if (what.includes('breaks off')) socket.end(text)
      else socket.write(text, 'latin1')
    })
    const proxy = await start(t, { upstream: `http://127.0.0.1:${upstream.port}`, websocket: true, timeouts: { head: 2000 } })
    const client = await connect(t, proxy.port)
    client.write(handshake('/x'))

    const response = await client.response()

    assert.equal(response.status, status)
    assert.match(String(response.headers['proxy-status']), new RegExp(`error=${error}`))
    await upstream.idle()
    assert.equal((await proxy.line())['error'], error)
    assert.equal(proxy.app.proxy.snapshot!.upstreams.get(`http://127.0.0.1:${upstream.port}`)!.state.endpoints[0]!.active, 0)
  })
}

test('does not switch for an ordinary request, whatever its upstream says', async (t) => {
  const upstream = await rawOrigin(t, async (socket) => { socket.write(switching(await collectHead(socket)) + OK) })
  const proxy = await start(t, { upstream: `http://127.0.0.1:${upstream.port}`, websocket: true })

  assert.equal((await proxy.get('/x')).status, 502)
})

test('survives a pipelined upgrade: earlier answers go out first, then the connection switches', async (t) => {
  const upstream = await webSocketOrigin(t)
  const plain = await origin(t, answer(200, 'x'.repeat(300_000)))
  const proxy = await start(t, { routes: [{ url: '/plain', upstream: plain.url }, { url: '/ws', upstream: upstream.url, websocket: true }] })
  const client = await connect(t, proxy.port)

  client.write('GET /plain HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(3) + handshake('/ws') + '\x81\x80\0\0\0\0')

  for (let count = 0; count < 3; count++) assert.equal((await client.response()).body.length, 300_000)
  assert.equal((await client.response()).status, 101)
  // The empty message, sent back.
  await client.until('\x81\0')
})

test('survives a pipelined upgrade whose client leaves while an earlier answer is under way', async (t) => {
  const upstream = await webSocketOrigin(t)
  let hang = (): void => {}
  const hung = new Promise<void>((resolve) => { hang = resolve })
  const plain = await origin(t, () => { hang() })
  const proxy = await start(t, { routes: [{ url: '/plain', upstream: plain.url }, { url: '/ws', upstream: upstream.url, websocket: true }] })
  const client = await connect(t, proxy.port)
  client.write('GET /plain HTTP/1.1\r\nHost: x\r\n\r\n' + handshake('/ws'))
  await hung
  client.reset()
  await plain.idle()

  assert.equal(upstream.requests.length, 0)
  await webSocket(t, `${proxy.url}/ws`)
})

// Each point of a handshake at which a client may go; the proxy has to be well and empty afterwards.
const points: [when: string, upstreamDoes: (head: string) => string][] = [
  ['before the upstream answered', () => ''],
  ['in the middle of the upstream’s head', (head) => switching(head).slice(0, 40)],
  ['when the upstream has switched', (head) => switching(head)]
]

for (const [when, text] of points) {
  for (const how of ['reset', 'end'] as const) {
    test(`frees both connections when the client goes (${how}) ${when}`, async (t) => {
      const upstream = await rawOrigin(t, async (socket) => { socket.write(text(await collectHead(socket))) })
      const proxy = await start(t, { upstream: `http://127.0.0.1:${upstream.port}`, websocket: { idleTimeout: 300 }, timeouts: { head: 300 } })
      const client = await connect(t, proxy.port)
      client.write(handshake('/x'))
      await upstream.arrived(1)
      if (when.startsWith('when')) await client.response()
      client[how]()

      await upstream.idle()
      await client.closed
      await proxy.line()
      assert.deepEqual(proxy.app.proxy.tunnels(), [])
      assert.equal(proxy.app.proxy.snapshot!.upstreams.get(`http://127.0.0.1:${upstream.port}`)!.state.endpoints[0]!.active, 0)
    })
  }
}
