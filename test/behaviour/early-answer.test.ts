import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect as connectSocket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import test, { type TestContext } from 'node:test'
import { connect } from '../helpers/client.ts'
import { connectHttp2 } from '../helpers/http2.ts'
import { answer, origin, rawOrigin } from '../helpers/origin.ts'
import { type Extra, start, type Started } from '../helpers/proxy.ts'
import { ca, server as identity } from '../helpers/tls.ts'
import { eventually } from '../helpers/until.ts'
import type { ProxyOptions } from '../../types/index.ts'

const PIECE = 'x'.repeat(1000)
const PIECES = 60

interface Uploaded {
  /** Pieces that were written. */
  sent: number
  status: string
  error: string | null
  /** Whether FIN came, and not RST. */
  clean: boolean
}

interface How { isChunked: boolean, tls?: boolean, headers?: string, path?: string }

/** Sends a body piece by piece, without a look at what comes back: as clients do that read their answer last. */
async function upload (t: TestContext, { port }: Started, { isChunked, tls = false, headers = '', path = '/up' }: How): Promise<Uploaded> {
  const socket = tls ? connectTls({ port, host: '127.0.0.1', ca, servername: 'localhost' }) : connectSocket(port, '127.0.0.1')
  t.after(() => { socket.destroy() })
  const seen: Uploaded = { sent: 0, status: '', error: null, clean: false }
  let text = ''
  socket.on('error', (error: NodeJS.ErrnoException) => { seen.error ??= error.code ?? error.message })
  socket.on('data', (chunk: Buffer) => { text += chunk.toString('latin1') })
  socket.on('end', () => { seen.clean = true })
  await once(socket, tls ? 'secureConnect' : 'connect')
  const framing = isChunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${PIECES * PIECE.length}`
  socket.write(`POST ${path} HTTP/1.1\r\nHost: x\r\n${headers}${framing}\r\n\r\n`)
  while (seen.sent < PIECES && seen.error === null && socket.writable) {
    socket.write(isChunked ? `3e8\r\n${PIECE}\r\n` : PIECE)
    seen.sent++
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  if (isChunked && socket.writable) socket.write('0\r\n\r\n')
  await eventually('an answer, or an end', () => text.includes('\r\n\r\n') || socket.destroyed)
  seen.status = text.slice(9, 12)
  if (/\r\nconnection: close\r\n/i.test(text)) await eventually('the end', () => seen.clean || socket.destroyed)
  return seen
}

/** Says 405 as soon as it has a head, and closes: what undici writes then is answered by a reset. */
async function refusing (t: TestContext): Promise<string> {
  const { url } = await rawOrigin(t, (socket) => {
    let isTold = false
    socket.on('data', () => {
      if (!isTold) socket.write('HTTP/1.1 405 Not Allowed\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno')
      isTold = true
    })
  })
  return url
}

const away = 'http://127.0.0.1:1'

const cases: readonly (readonly [what: string, status: string, (t: TestContext) => Promise<ProxyOptions> | ProxyOptions, extra?: Extra, how?: Partial<How>])[] = [
  ["an upstream's 405", '405', async (t) => ({ upstream: await refusing(t) })],
  ["an upstream's 413 that it streams", '413', async (t) => ({ upstream: (await origin(t, (_req, res) => { res.writeHead(413).write('no'); setTimeout(() => res.end('!'), 20) })).url })],
  ['requestLimit', '413', async (t) => ({ upstream: (await origin(t, answer(200, 'ok'))).url, body: { requestLimit: 5000 } })],
  ['no upstream', '502', () => ({ upstream: away })],
  ['a path that is refused', '400', () => ({ upstream: away }), {}, { path: '/../x' }],
  ['framing that is refused', '400', () => ({ upstream: away }), {}, { headers: 'Host: y\r\n' }],
  ["a hook of the route's", '401', () => ({ upstream: away, onRequest: (_request, reply) => { reply.code(401).send() } })],
  ["a hook of the route's to a client that closes", '401', () => ({ upstream: away, onRequest: (_request, reply) => { reply.code(401).send() } }), {}, { headers: 'Connection: close\r\n' }],
  ["a hook of the app's that closes", '401', () => ({ upstream: away }), { before: (app) => { app.addHook('onRequest', (_request, reply) => { reply.code(401).header('connection', 'close').send() }) } }],
  ["a hook of the app's to a client that closes", '401', () => ({ upstream: away }), { before: (app) => { app.addHook('onRequest', (_request, reply) => { reply.code(401).send() }) } }, { headers: 'Connection: close\r\n' }],
  ['no route', '404', () => ({ routes: [{ url: '/other', upstream: away }] }), {}, { headers: 'Connection: close\r\n' }],
  ['reply.proxy', '502', () => ({ upstreams: { away }, routes: [{ url: '/other', upstream: 'away' }] }), { after: (app) => { app.removeAllContentTypeParsers(); app.addContentTypeParser('*', (_request, payload, done) => { done(null, payload) }); app.post('/up', async (_request, reply) => reply.proxy('away')) } }, { headers: 'Content-Type: a/b\r\n' }]
]

for (const [what, status, options, extra, how] of cases) {
  test(`${what}: an upload that is still being sent is sent whole, and its client reads the answer`, async (t) => {
    const app = await start(t, await options(t), extra)
    for (const isChunked of [false, true]) {
      const seen = await upload(t, app, { isChunked, ...how })
      assert.deepEqual([seen.sent, seen.status, seen.error], [PIECES, status, null], isChunked ? 'chunked' : 'with a length')
    }
  })
}

test('over TLS as well', async (t) => {
  const { url } = await origin(t, answer(200, 'ok'))
  for (const [options, status] of [[{ upstream: await refusing(t) }, '405'], [{ upstream: url, body: { requestLimit: 5000 } }, '413']] as const) {
    const app = await start(t, options, { fastify: { https: identity } })
    for (const isChunked of [false, true]) assert.deepEqual(await upload(t, app, { isChunked, tls: true }), { sent: PIECES, status, error: null, clean: true })
  }
})

test('a request behind such an upload is not served, and the connection ends with the upload', async (t) => {
  const upstream = await origin(t, (_req, res) => { res.writeHead(413, { 'content-length': 2 }).end('no') })
  let asked = 0
  const app = await start(t, { prefix: '/up', upstream: upstream.url }, { after: (app) => { app.get('/next', async () => { asked++ }) } })
  const client = await connect(t, app.port)

  client.write('POST /up/x HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\nhalf')
  const { status, headers } = await client.response()
  client.write('halfGET /next HTTP/1.1\r\nHost: x\r\n\r\nGET /up/next HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')

  assert.deepEqual([status, headers['connection']], [413, 'close'])
  await client.closed
  assert.deepEqual([asked, upstream.requests.length, client.received.toString('latin1').split('HTTP/1.1 ').length], [0, 1, 2])
})

test('a client that never stops is cut, and one that falls silent within seconds', async (t) => {
  const upstream = await refusing(t)
  for (const hook of [undefined, (_request: unknown, reply: { code (status: number): { send (): unknown } }) => { reply.code(401).send() }]) {
    const app = await start(t, { upstream, ...hook !== undefined && { onRequest: hook as unknown as NonNullable<ProxyOptions['onRequest']> } })
    const quick = await connect(t, app.port, { keep: false })
    quick.write('POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n')
    const piece = Buffer.from(`10000\r\n${'x'.repeat(0x10000)}\r\n`)
    let bytes = 0
    const pour = (): void => {
      while (quick.socket.writable && quick.socket.write(piece)) bytes += piece.length
    }
    quick.socket.on('drain', pour)
    pour()
    const silent = await connect(t, app.port)
    silent.write('POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nsome')
    await silent.response()
    const since = performance.now()

    await quick.closed
    await silent.closed
    assert.ok(bytes > 60 * 1024 * 1024, `${bytes} bytes`)
    assert.ok(performance.now() - since > 1500, 'the silent one was waited for')
  }
})

test('what is wrong with the rest is not answered once more', async (t) => {
  const app = await start(t, { upstream: await refusing(t) }, { fastify: { requestTimeout: 100, http: { connectionsCheckingInterval: 50 } } as Extra['fastify'] & object })
  for (const rest of ['garbage\r\n\r\n', null, '']) {
    const client = await connect(t, app.port)
    client.write('POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n')
    await client.response()
    // '' for a FIN, null for waiting until the request has taken too long.
    if (rest === '') client.end()
    else if (rest !== null) client.write(rest)
    await client.closed
    assert.equal(client.received.toString('latin1').split('HTTP/1.1 ').length, 2)
  }
})

test('closing the app does not wait for longer than a silence may last', async (t) => {
  const app = await start(t, { upstream: await refusing(t) })
  const client = await connect(t, app.port)
  client.write('POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n')
  await client.response()
  const timer = setInterval(() => { if (client.socket.writable) client.write('4\r\nmore\r\n') }, 20)
  t.after(() => { clearInterval(timer) })
  const since = performance.now()

  await app.app.close()

  assert.ok(performance.now() - since < 10_000)
})

test('a client of HTTP/1.0 hears the end of its answer at once', async (t) => {
  const upstream = await origin(t, (_req, res) => { res.writeHead(405).write('n'); setTimeout(() => res.end('o'), 20) })
  const app = await start(t, { upstream: upstream.url })
  const client = await connect(t, app.port)
  client.write('POST /x HTTP/1.0\r\nContent-Length: 100\r\n\r\nsome')

  const { status, body, complete } = await client.response()

  assert.deepEqual([status, body.toString(), complete], [405, 'no', true])
})

test('over HTTP/2 the stream ends with NO_ERROR behind the answer, and others on its connection go on', async (t) => {
  const app = await start(t, {
    upstream: await refusing(t),
    body: { requestLimit: 5000 },
    onRequest: (request, reply, done) => {
      if (request.headers['x-refused'] === undefined) done()
      else reply.code(401).send()
    }
  }, { fastify: { http2: true } as Extra['fastify'] & object })
  const client = await connectHttp2(t, app.url)
  for (const [headers, status] of [[{}, 405], [{ 'content-length': 10_000 }, 413], [{ 'x-refused': '1' }, 401]] as const) {
    const { stream, response } = client.open({ ':method': 'POST', ':path': '/x', ...headers }, { open: true })
    stream.write('x'.repeat(100))
    const seen = await response
    assert.deepEqual([seen.status, seen.complete, seen.rstCode], [status, true, 0])
  }
  const { status } = await client.get('/x')
  assert.equal(status, 405)
})
