import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { RequestHead } from '../../types/index.ts'
import { connect } from '../helpers/client.ts'
import { http2Origin, reflect, type Http2Origin } from '../helpers/http2.ts'
import { echo, origin, type Origin } from '../helpers/origin.ts'
import { start, type Started } from '../helpers/proxy.ts'
import { eventually } from '../helpers/until.ts'

/*
 * Whatever a transform puts into a head is held to the same rules whichever protocol its upstream speaks: undici's for HTTP/1.1, and ours for
 * HTTP/2, where Node drops fields without a word, sends them as they are, or takes the session down with all that is on it.
 */

type Edit = (head: RequestHead) => void

const set = (name: string, value: unknown): Edit => (head) => { (head.headers as Record<string, unknown>)[name] = value }

interface Both { proxy: Started, upstream: Origin | Http2Origin }

async function through (t: TestContext, protocol: 'http1' | 'h2', edit: Edit): Promise<Both> {
  const upstream = protocol === 'h2' ? await http2Origin(t, reflect()) : await origin(t, echo())
  const proxy = await start(t, {
    upstreams: { a: { endpoints: [upstream.url], pool: { protocol } } },
    routes: [{ url: '/edited', upstream: 'a', onProxyRequest: edit }, { url: '/plain', upstream: 'a' }]
  })
  return { proxy, upstream }
}

const controls = Array.from({ length: 32 }, (_, code) => code).filter((code) => code !== 9).concat(0x7f)

const refused: readonly (readonly [what: string, edit: Edit])[] = [
  ...controls.map((code) => [`a value with ${code.toString(16).padStart(2, '0')}`, set('x-own', `a${String.fromCharCode(code)}b`)] as const),
  ['a value that would begin another field', set('x-own', 'a\r\nx-evil: 1')],
  ['a value that would begin another field in HTTP/2', set('x-own', 'a\0x-evil\x001\0')],
  ['a value above U+00FF', set('x-own', '\u0141')],
  ['a value of which a truncated character is a line break', set('x-own', 'a\u010a\u010db')],
  ['a list with a bad value', set('x-own', ['a', 'b\nc'])],
  ['a list with a value above U+00FF', set('x-own', ['a', '\u20ac'])],
  ['an empty name', set('', 'a')],
  ['a name with a space', set('x own', 'a')],
  ['a name with a line break', set('x-own\r\nx-evil', 'a')],
  ['a name with NUL', set('x-own\0', 'a')],
  ['a name with a colon', set('x:own', 'a')],
  ['a name above ASCII', set('x-\u00e4', 'a')],
  [':path', set(':path', '/evil')],
  [':method', set(':method', 'DELETE')],
  [':authority', set(':authority', 'evil.example')],
  [':status', set(':status', '200')],
  [':x', set(':x', 'a')],
  ['a list in Host', set('host', ['a.example', 'b.example'])],
  ['two spellings of Host', (head) => { Object.assign(head.headers, { host: 'a.example', Host: 'b.example' }) }],
  ['a Host with a line break', set('host', 'a.example\r\nx-evil: 1')],
  ['a Content-Length that is none', set('content-length', '1x')],
  ['a list in Content-Length', set('content-length', ['0', '0'])],
  ['two spellings of Content-Length', (head) => { Object.assign(head.headers, { 'content-length': '0', 'Content-Length': '0' }) }],
  ['Transfer-Encoding', set('transfer-encoding', 'chunked')],
  ['Keep-Alive', set('keep-alive', 'timeout=5')],
  ['Upgrade', set('upgrade', 'h2c')],
  ['Expect', set('expect', '100-continue')],
  ['a Connection that is no list of tokens', set('connection', 'a b')],
  ['a list in Connection', set('connection', ['close', 'x'])],
  ['a method that is no token', (head) => { head.method = 'GE T' }],
  ['a method with a line break', (head) => { head.method = 'GET / HTTP/1.1\r\n' }],
  ['an empty method', (head) => { head.method = '' }],
  ['a path with a space', (head) => { head.path = '/a b' }],
  ['a path with a line break', (head) => { head.path = '/a\r\nx-evil: 1' }],
  ['a path above U+00FF', (head) => { head.path = '/\u0141' }]
]

/** Faults that are found before an endpoint is chosen; objects are the code's own, texts may be the client's. */
const refusedEarly: readonly (readonly [what: string, edit: Edit, status: number])[] = [
  ['a path without a slash', (head) => { head.path = 'evil' }, 400],
  ['an empty path', (head) => { head.path = '' }, 400],
  ['a URL for a path', (head) => { head.path = 'http://evil.example/' }, 400],
  ['CONNECT', (head) => { head.method = 'CONNECT' }, 400],
  ['an asterisk for a path', (head) => { head.path = '*' }, 400],
  ['a list in a list', set('x-own', ['a', ['b']]), 500],
  ['an object', set('x-own', { a: 1 }), 500],
  ['a list with an object', set('x-own', [{ a: 1 }]), 500]
]

for (const [what, edit, expected] of refusedEarly) {
  test(`a request with ${what} is ${expected}, and no upstream sees it`, async (t) => {
    for (const protocol of ['http1', 'h2'] as const) {
      const { proxy, upstream } = await through(t, protocol, edit)
      const { status } = await proxy.get('/edited')
      const line = await proxy.line()
      assert.deepEqual([status, line['phase'], line['attempts'], upstream.requests.length], [expected, 'select', 0, 0])
    }
  })
}

for (const [what, edit] of refused) {
  test(`a request with ${what} is refused, and no upstream sees it`, async (t) => {
    const seen: unknown[] = []
    for (const protocol of ['http1', 'h2'] as const) {
      const { proxy, upstream } = await through(t, protocol, edit)
      const { status, body } = await proxy.get('/edited')
      const line = await proxy.line()
      seen.push([status, JSON.parse(body).code, line['error'], line['phase'], line['attempts'], upstream.requests.length])
    }

    assert.deepEqual(seen[0], [400, 'FST_SLUICE_HTTP_REQUEST_ERROR', 'http_request_error', 'connect', 1, 0])
    assert.deepEqual(seen[1], seen[0])
  })
}

test('a Host that is none is refused before it is the :authority of a request', async (t) => {
  for (const host of ['', 'a b', 'a@b', 'a/b', 'a:b', 'a,b']) {
    const { proxy, upstream } = await through(t, 'h2', set('host', host))
    const { status } = await proxy.get('/edited')
    const line = await proxy.line()
    assert.deepEqual([status, line['error'], upstream.requests.length], [400, 'http_request_error', 0], host)
  }
})

test('requests that are refused take no connection from those after them', async (t) => {
  for (const protocol of ['http1', 'h2'] as const) {
    const upstream = protocol === 'h2' ? await http2Origin(t, reflect()) : await origin(t, echo())
    const proxy = await start(t, {
      upstreams: { a: { endpoints: [upstream.url], pool: { protocol, connections: 2 } } },
      routes: [{ url: '/edited', upstream: 'a', onProxyRequest: set('x-own', 'a\nb') }, { url: '/plain', upstream: 'a' }]
    })
    const all = await Promise.all(Array.from({ length: 12 }, (_, index) => proxy.get(index % 2 === 0 ? '/edited' : '/plain')))
    assert.deepEqual(all.map(({ status }) => status), all.map((_, index) => index % 2 === 0 ? 400 : 200), protocol)
    for (let count = 0; count < 5; count++) assert.equal((await proxy.get('/edited')).status, 400, protocol)
    assert.equal((await proxy.get('/plain')).status, 200, protocol)
  }
})

const passed: readonly (readonly [what: string, edit: Edit, name: string, value: string | undefined])[] = [
  ['bytes above ASCII', set('x-own', 'caf\u00e9 \xff'), 'x-own', 'caf\u00e9 \xff'],
  ['a tab', set('x-own', 'a\tb'), 'x-own', 'a\tb'],
  ['an empty value', set('x-own', ''), 'x-own', ''],
  ['space around it', set('x-own', ' a\t'), 'x-own', 'a'],
  ['space around each of a list', set('x-own', ['a ', '\tb']), 'x-own', 'a, b'],
  ['space alone', set('x-own', ' \t '), 'x-own', ''],
  ['a number', set('x-own', 7), 'x-own', '7'],
  ['null', set('x-own', null), 'x-own', ''],
  ['undefined', set('x-own', undefined), 'x-own', undefined],
  ['a list', set('x-own', ['a', 'b']), 'x-own', 'a, b'],
  ['a list with null and a number', set('x-own', ['a', null, 7]), 'x-own', 'a, , 7'],
  ['capitals', set('X-Own', 'a'), 'x-own', 'a'],
  ['every character of a token', set("!#$%&'*+-.^_`|~09az", 'a'), "!#$%&'*+-.^_`|~09az", 'a'],
  ['two spellings of a name', (head) => { Object.assign(head.headers, { 'x-own': 'a', 'X-Own': 'b' }) }, 'x-own', 'a, b'],
  ['a Host in capitals', (head) => {
    delete head.headers['host']
    head.headers['Host'] = 'a.example'
  }, 'host', 'a.example'],
  ['Connection', set('connection', 'x-own'), 'x-own', undefined],
  ['a Content-Length and no body', set('content-length', '5'), 'content-length', undefined]
]

for (const [what, edit, name, value] of passed) {
  test(`a request with ${what} arrives`, async (t) => {
    for (const protocol of ['http1', 'h2'] as const) {
      const { proxy } = await through(t, protocol, edit)
      const response = await proxy.get('/edited')

      assert.equal(response.status, 200, `${protocol}: ${response.body}`)
      const { headers } = JSON.parse(response.body) as { headers: Record<string, string> }
      assert.equal(headers[name === 'host' && protocol === 'h2' ? ':authority' : name], value, protocol)
      if (protocol === 'h2') assert.equal(headers['host'], undefined)
    }
  })
}

for (const [what, length, body] of [['less than', '9', 'hello'], ['more than', '2', 'hello'], ['none for', '0', 'hello']] as const) {
  for (const chunked of [false, true]) {
    test(`a body of ${what} its Content-Length is refused, ${chunked ? 'in chunks' : 'whole'}`, async (t) => {
      const seen: unknown[] = []
      for (const protocol of ['http1', 'h2'] as const) {
        const { proxy, upstream } = await through(t, protocol, set('content-length', length))
        const client = await connect(t, proxy.port)
        client.write(`POST /edited HTTP/1.1\r\nHost: a\r\n${chunked ? `Transfer-Encoding: chunked\r\n\r\n5\r\n${body}\r\n0\r\n\r\n` : `Content-Length: 5\r\n\r\n${body}`}`)
        const { status } = await client.response()
        seen.push([status, (await proxy.line())['error']])
        assert.equal(upstream.requests.some(({ complete }) => complete), false)
      }

      assert.deepEqual(seen[0], [400, 'http_request_error'])
      assert.deepEqual(seen[1], seen[0])
    })
  }
}

test('over HTTP/2 nobody else on the connection notices', async (t) => {
  const held: (() => void)[] = []
  const upstream = await http2Origin(t, (stream) => {
    held.push(() => {
      stream.respond({ ':status': 200 })
      stream.end('ok')
    })
  })
  let edit: Edit = () => {}
  const proxy = await start(t, {
    upstreams: { a: { endpoints: [upstream.url], pool: { protocol: 'h2', warm: 1 } } },
    routes: [{ url: '/edited', upstream: 'a', onProxyRequest: (head) => { edit(head) } }, { url: '/plain', upstream: 'a' }]
  })
  const other = proxy.get('/plain')
  await eventually('the other', () => held.length === 1)

  for (const [what, faulty] of refused) {
    edit = faulty
    assert.equal((await proxy.get('/edited')).status, 400, what)
  }
  held[0]!()

  assert.equal((await other).body, 'ok')
  assert.equal(upstream.sessions.length, 1)
})

test('over HTTP/2 a method that is CONNECT is refused, and its connection goes on', async (t) => {
  const { proxy, upstream } = await through(t, 'h2', (head) => { head.method = 'CONNECT' })

  assert.deepEqual([(await proxy.get('/plain')).status, (await proxy.get('/edited')).status, (await proxy.get('/plain')).status], [200, 400, 200])
  assert.equal((upstream as Http2Origin).sessions.length, 1)
})

test('over HTTP/2 the first request of a connection may be such a one', async (t) => {
  const upstream = await http2Origin(t, reflect())
  const proxy = await start(t, { upstream: { endpoints: [upstream.url], pool: { protocol: 'h2' } }, headers: { request: { set: { 'x-own': (request) => request.url === '/' ? 'a\nb' : 'a' } } } })

  assert.deepEqual([(await proxy.get('/')).status, (await proxy.get('/x')).status], [400, 200])
})

for (const protocol of ['http1', 'h2'] as const) {
  test(`trailers that cannot be written are the client's fault, and its request never whole (${protocol})`, async (t) => {
    const upstream = protocol === 'h2' ? await http2Origin(t, reflect()) : await origin(t, echo())
    // Only a lenient parser lets them come as far.
    const proxy = await start(t, { upstream: { endpoints: [upstream.url], pool: { protocol } } }, { fastify: { http: { insecureHTTPParser: true } } as object })
    const client = await connect(t, proxy.port)

    client.write('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Own: a\x01b\r\n\r\n')

    assert.equal((await client.response()).status, 400)
    assert.equal((await proxy.line())['error'], 'http_request_error')
    await eventually('the end of the request', () => upstream.requests.every((request) => 'aborted' in request ? request.aborted || !request.complete : request.reset !== null))
    assert.equal(upstream.requests.some(({ complete }) => complete), false)
  })

  test(`trailers of which HTTP/2 has one come as a list (${protocol})`, async (t) => {
    const upstream = protocol === 'h2' ? await http2Origin(t, reflect()) : await origin(t, echo())
    const proxy = await start(t, { upstream: { endpoints: [upstream.url], pool: { protocol } } })
    const client = await connect(t, proxy.port)

    client.write('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nETag: a\r\nETag: b\r\nX-Sum: 5\r\n\r\n')

    assert.equal((await client.response()).status, 200)
    const trailers = upstream.requests[0]!.trailers as Record<string, string>
    assert.equal(trailers['x-sum'], '5')
    if (protocol === 'h2') assert.equal(trailers['etag'], 'a, b')
  })
}
