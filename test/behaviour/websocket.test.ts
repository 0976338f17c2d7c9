import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connect } from '../helpers/client.ts'
import { answer, collectHead, origin, rawOrigin } from '../helpers/origin.ts'
import { start } from '../helpers/proxy.ts'
import { ca, server } from '../helpers/tls.ts'
import { ACCEPT, handshake, KEY, switching, webSocket, webSocketOrigin } from '../helpers/websocket.ts'

test('carries messages of every kind and size both ways, and the close with its code and reason', async (t) => {
  const upstream = await webSocketOrigin(t)
  const proxy = await start(t, { upstream: upstream.url, websocket: true })
  const client = await webSocket(t, `${proxy.url}/chat?room=1`)

  for (const text of ['hello', '', 'ü'.repeat(70_000), 'x'.repeat(2 ** 20)]) {
    client.socket.send(text)
    assert.equal((await client.next()).toString(), text)
  }
  client.socket.send(Buffer.from([0, 255, 128]))
  assert.deepEqual(await client.next(), Buffer.from([0, 255, 128]))
  client.socket.close(4001, 'done')

  assert.deepEqual(await client.closed, { code: 4001, reason: 'done' })
  assert.deepEqual(await upstream.until('a close', () => upstream.codes.length === 1 && upstream.codes), [4001])
  assert.equal(upstream.requests[0]!.url, '/chat?room=1')
})

test('offers every subprotocol and extension to the upstream and gives back its choice', async (t) => {
  const upstream = await webSocketOrigin(t, { perMessageDeflate: { threshold: 0 }, handleProtocols: (offered) => [...offered][1]! })
  const proxy = await start(t, { upstream: upstream.url, websocket: true })

  const client = await webSocket(t, proxy.url, ['chat.v1', 'chat.v2', 'chat.v3'], { perMessageDeflate: { threshold: 0 } })

  assert.equal(client.socket.protocol, 'chat.v2')
  assert.equal(upstream.requests[0]!.headers['sec-websocket-protocol'], 'chat.v1,chat.v2,chat.v3')
  assert.match(client.socket.extensions, /permessage-deflate/)
  client.socket.send('compressed '.repeat(1000))
  assert.equal((await client.next()).length, 11_000)
})

test('forwards Origin, cookies, the path as it was rewritten and what tells of the client; Connection and Upgrade are its own', async (t) => {
  const upstream = await webSocketOrigin(t)
  const proxy = await start(t, { routes: [{ url: '/live/*', upstream: upstream.url, rewrite: '/v2/*', websocket: true, headers: { request: { set: { 'x-user': 'ada' } } } }] })

  await webSocket(t, `${proxy.url}/live/a%20b`, [], { origin: 'https://app.example', headers: { cookie: 'sid=1', 'x-own': 'yes' } })

  const { url, headers } = upstream.requests[0]!
  assert.equal(url, '/v2/a%20b')
  assert.deepEqual(
    [headers.origin, headers.cookie, headers['x-own'], headers['x-user'], headers['x-forwarded-for'], headers.host, headers.connection, headers.upgrade],
    ['https://app.example', 'sid=1', 'yes', 'ada', '127.0.0.1', `127.0.0.1:${upstream.port}`, 'upgrade', 'websocket']
  )
  assert.match(String(headers.traceparent), /^00-/)
})

test('works over TLS on both sides', async (t) => {
  const upstream = await webSocketOrigin(t, {}, server)
  const proxy = await start(t, { upstream: { endpoints: [upstream.url], pool: { tls: { ca } } }, websocket: true }, { fastify: { https: server } })
  const client = await webSocket(t, proxy.url, [], { ca })

  client.socket.send('x'.repeat(200_000))

  assert.equal((await client.next()).length, 200_000)
  client.socket.close(1000)
  assert.equal((await client.closed).code, 1000)
})

test('lets hooks answer first: a refusal is an ordinary response, and no upstream hears of it', async (t) => {
  const upstream = await webSocketOrigin(t)
  const proxy = await start(t, {
    routes: [{
      url: '/*',
      upstream: upstream.url,
      websocket: true,
      onRequest: async (request, reply) => { if (request.headers.authorization !== 'Bearer good') return reply.code(401).header('www-authenticate', 'Bearer').send({ error: 'who?' }) }
    }]
  })

  const client = await connect(t, proxy.port)
  client.write(handshake('/x'))
  const refused = await client.response()
  assert.deepEqual([refused.status, refused.headers['www-authenticate'], refused.body.toString(), refused.headers['connection']], [401, 'Bearer', '{"error":"who?"}', 'close'])
  assert.equal((await client.closed).clean, true)
  assert.equal(upstream.requests.length, 0)

  await webSocket(t, proxy.url, [], { headers: { authorization: 'Bearer good' } })
  assert.equal(upstream.requests.length, 1)
})

for (const status of [200, 401, 404, 426, 503]) {
  test(`gives the client the upstream's ${status} whole when it does not switch`, async (t) => {
    const upstream = await origin(t, answer(status, 'the reason', { 'x-why': 'because', 'content-type': 'text/plain' }))
    // Without a listener Node would serve the upgrade as a request anyway.
    const proxy = await start(t, { upstream: upstream.url, websocket: true })
    const client = await connect(t, proxy.port)
    client.write(handshake('/x') + 'early bytes that are no request: GET /smuggled HTTP/1.1\r\n\r\n')

    const response = await client.response()

    assert.deepEqual([response.status, response.body.toString(), response.headers['x-why'], response.complete], [status, 'the reason', 'because', true])
    // RFC 9110 15.5.22
    assert.deepEqual([response.headers['upgrade'], response.headers['connection']], status === 426 ? ['websocket', 'upgrade, close'] : [undefined, 'close'])
    assert.equal((await client.closed).clean, true)
    assert.equal(upstream.hits, 1)
    const line = await proxy.line()
    assert.deepEqual([line['status'], line['error'], line['attempts']], [status, '', 1])
  })
}

test('holds the early bytes of a client back until the upstream has switched', async (t) => {
  let proceed = (): void => {}
  const upstream = await rawOrigin(t, async (socket) => {
    const head = await collectHead(socket)
    proceed = () => { socket.write(switching(head) + 'first') }
    socket.on('data', (chunk) => { socket.write(`[${chunk.toString()}]`) })
  })
  const proxy = await start(t, { upstream: `http://127.0.0.1:${upstream.port}`, websocket: true })
  const client = await connect(t, proxy.port)
  client.write(handshake('/x') + 'early')
  await upstream.arrived(1)
  client.write(' and more')
  assert.equal(client.received.length, 0)
  assert.equal(upstream.heads[0]!.endsWith('\r\n\r\n'), true)

  proceed()

  const response = await client.response()
  assert.deepEqual([response.status, response.headers['sec-websocket-accept'], response.headers['connection'], response.headers['upgrade']], [101, ACCEPT, 'upgrade', 'websocket'])
  await client.until((received) => /first(\[early\]\[ and more\]|\[early and more\])$/.test(received.toString()))
})

test('lets only allowed origins connect', async (t) => {
  const upstream = await webSocketOrigin(t)
  const proxy = await start(t, {
    routes: [
      { url: '/list', upstream: upstream.url, websocket: { allowedOrigins: ['https://app.example'] } },
      { url: '/own', upstream: upstream.url, websocket: { allowedOrigins: (origin) => origin === undefined || new URL(origin).hostname.endsWith('.example') } }
    ]
  })
  const status = async (path: string, ...lines: string[]): Promise<number> => {
    const client = await connect(t, proxy.port)
    client.write(handshake(path, lines))
    return (await client.response()).status
  }

  assert.equal(await status('/list', 'Origin: https://app.example'), 101)
  assert.equal(await status('/list', 'Origin: https://app.example.evil'), 403)
  assert.equal(await status('/list', 'Origin: https://APP.example'), 403)
  assert.equal(await status('/list', 'Origin: https://app.example', 'Origin: https://evil'), 403)
  assert.equal(await status('/list', 'Origin: null'), 403)
  assert.equal(await status('/list'), 403)
  assert.equal(await status('/own'), 101)
  assert.equal(await status('/own', 'Origin: https://a.example'), 101)
  assert.equal(await status('/own', 'Origin: https://evil.test'), 403)
  // A function that throws lets nobody in.
  assert.equal(await status('/own', 'Origin: null'), 500)
  assert.equal(upstream.requests.length, 3)
  const denied = await proxy.line((line) => line['error'] === 'http_request_denied')
  assert.deepEqual([denied['status'], denied['phase']], [403, 'upgrade'])
})

test('runs onSend hooks and response edits on the 101', async (t) => {
  const upstream = await webSocketOrigin(t)
  const proxy = await start(t, {
    routes: [{
      url: '/*',
      upstream: upstream.url,
      websocket: true,
      headers: { response: { set: { 'x-edit': 'yes' } } },
      onSend: async (_request, reply) => { reply.header('set-cookie', 'session=1') }
    }]
  })
  const client = await connect(t, proxy.port)
  client.write(handshake('/x'))

  const { status, headers } = await client.response()

  assert.deepEqual([status, headers['x-edit'], headers['set-cookie']], [101, 'yes', ['session=1']])
})

test('lets a hook put an answer in the place of the 101, and drops the upstream then', async (t) => {
  const upstream = await webSocketOrigin(t)
  const proxy = await start(t, { routes: [{ url: '/*', upstream: upstream.url, websocket: true, onSend: async (_request, reply) => { if (reply.statusCode === 101) throw Object.assign(new Error('no'), { statusCode: 418 }) } }] })
  const client = await connect(t, proxy.port)
  client.write(handshake('/x'))

  const { status } = await client.response()

  assert.equal(status, 418)
  assert.deepEqual(await upstream.until('the end', () => upstream.codes.length === 1 && upstream.codes), [1006])
  await client.closed
  assert.equal(proxy.app.proxy.upstream(upstream.url)!.state.endpoints[0]!.active, 0)
})

test('sends 100 before 101 to a client that expects it', async (t) => {
  const upstream = await webSocketOrigin(t)
  const proxy = await start(t, { upstream: upstream.url, websocket: true })
  const client = await connect(t, proxy.port)
  client.write(handshake('/x', ['Expect: 100-continue']))

  const response = await client.response()

  assert.deepEqual([response.informational.map(({ status }) => status), response.status], [[100], 101])
})

test('is off by default: a handshake is an ordinary request, without the asking', async (t) => {
  const upstream = await origin(t, answer(200, 'plain'))
  const proxy = await start(t, { upstream: upstream.url })
  const client = await connect(t, proxy.port)
  client.write(handshake('/x'))

  const response = await client.response()

  assert.deepEqual([response.status, response.body.toString()], [200, 'plain'])
  assert.equal(upstream.requests[0]!.headers.upgrade, undefined)
  assert.equal(proxy.app.server.listenerCount('upgrade'), 0)
})

test('the key that a browser sends is the one that the upstream sees', async (t) => {
  const upstream = await webSocketOrigin(t)
  const proxy = await start(t, { upstream: upstream.url, websocket: true })
  const client = await connect(t, proxy.port)
  client.write(handshake('/x', ['Sec-WebSocket-Extensions: x-unknown; a=1, permessage-deflate']))
  await client.response()

  const { headers } = upstream.requests[0]!
  assert.deepEqual([headers['sec-websocket-key'], headers['sec-websocket-version'], headers['sec-websocket-extensions']], [KEY, '13', 'x-unknown; a=1, permessage-deflate'])
})
