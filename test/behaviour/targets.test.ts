import assert from 'node:assert/strict'
import { type AddressInfo, connect } from 'node:net'
import test from 'node:test'
import Fastify from 'fastify'
import proxy from '../../lib/index.ts'
import { raw, values } from '../helpers/client.ts'
import { listenTwice } from '../helpers/localhost.ts'
import { answer, origin } from '../helpers/origin.ts'
import { start, type Started } from '../helpers/proxy.ts'

async function status (t: Parameters<typeof raw>[0], app: Started, target: string, { method = 'GET', host = 'x', more = '' } = {}): Promise<number> {
  return (await raw(t, app.port, `${method} ${target} HTTP/1.1\r\nHost: ${host}\r\n${more}\r\n`)).status
}

// RFC 9110 7.7: path and query arrive as they were sent.
const untouched = [
  '/', '/a', '/a/', '//', '//a//b', '/a//', '/a%2Fb', '/a%2fb', '/%61', '/a%20b', '/%00', '/%7Euser', '/~user', '/a;b=c', '/a;b=c/d', '/a:b', '/a@b', '/a,b', '/a|b',
  '/{a}', '/[a]', '/\'a\'', '/"a"', '/<a>', '/a^b', '/a`b', '/(a)!*$&+=', '/...', '/..a', '/a..', '/.well-known', '/a?', '/?', '/?a=b', '/?a=b&a=c', '/?a=%2F&b=%zz', '/??', '/a?b?c',
  '/?a=1+2', '/?%', '/?a=../..', '/?q=[]{}|"<>', '/?a;b', '/%E4', '/%e4%f6', '/%FF/x', '/%C3%A4', '/a/%E4?b=%E4', '/%E4%2F', '/%25E4', '/%E4/%25E4', '/%C3', '/%80'
]

test('path and query arrive byte for byte, whatever is in them', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, { upstream: upstream.url })

  for (const target of untouched) assert.equal(await status(t, app, target), 200, target)

  assert.deepEqual(upstream.requests.map(({ url }) => url), untouched)
})

test('bytes that are no UTF-8 find the route of their prefix, and the path of no parameter', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, {
    routes: [
      { url: '/api/*', upstream: upstream.url, rewrite: '/v1/*' },
      { url: '/users/:id', upstream: upstream.url },
      { url: '/new/:id', upstream: upstream.url, rewrite: '/v2/:id' }
    ]
  }, { after: (app) => { app.get('/own/:id', async (request) => request.params) } })

  assert.deepEqual([
    await status(t, app, '/api/%E4/b?c=%E4'), await status(t, app, '/users/%E4'), await status(t, app, 'http://x/users/%e4'),
    // Put into a template it would be another byte.
    await status(t, app, '/new/%E4'), await status(t, app, '/new/%C3%A4'),
    // What is not the proxy's stays as Fastify has it.
    await status(t, app, '/own/%E4'), await status(t, app, '/api/%zz'), await status(t, app, '/api/%E4/%2e%2e/x')
  ], [200, 200, 200, 400, 200, 400, 400, 400])
  assert.deepEqual(upstream.requests.map(({ url }) => url), ['/v1/%E4/b?c=%E4', '/users/%E4', '/users/%e4', '/v2/%C3%A4'])
})

test("hooks see the client's own target, not the one that the router was shown", async (t) => {
  const upstream = await origin(t, answer(200))
  const seen: unknown[] = []
  const app = await start(t, { upstream: upstream.url, onRequest: async (request) => { seen.push(request.url, request.raw.url) } })

  await status(t, app, '/%E4?a')
  await status(t, app, '*', { method: 'OPTIONS' })

  assert.deepEqual(seen, ['/%E4?a', '/%E4?a', '*', '*'])
})

test('OPTIONS * is forwarded as *, by the route that takes the root', async (t) => {
  const upstream = await origin(t, answer(204, '', { allow: 'GET' }))
  const app = await start(t, { upstream: { endpoints: [`${upstream.url}/base`] } })
  const elsewhere = await start(t, { prefix: '/api', upstream: upstream.url })

  for (const target of ['*', 'http://client.example']) {
    const response = await raw(t, app.port, `OPTIONS ${target} HTTP/1.1\r\nHost: client.example\r\n\r\n`)
    assert.deepEqual([response.status, response.headers['allow']], [204, 'GET'], target)
  }
  await app.get('/next')

  assert.deepEqual(upstream.requests.map(({ method, url }) => `${method} ${url}`), ['OPTIONS *', 'OPTIONS *', 'GET /base/next'])
  assert.equal(upstream.connections, 1)
  assert.equal(await status(t, elsewhere, '*', { method: 'OPTIONS' }), 404)
})

test('asterisk and authority are targets of OPTIONS and CONNECT alone', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, { upstream: upstream.url })

  assert.deepEqual([await status(t, app, '*'), await status(t, app, '*', { method: 'POST', more: 'Content-Length: 0\r\n' }), await status(t, app, 'x:80'), await status(t, app, '*?a', { method: 'OPTIONS' })], [400, 400, 400, 400])
  assert.equal(upstream.hits, 0)
})

test('an absolute-form target is served as its path, and its authority outranks Host', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, { upstream: upstream.url, host: 'original' })

  assert.equal(await status(t, app, 'http://target.example:81/a?b', { host: 'other.example' }), 200)
  assert.equal(await status(t, app, 'HTTPS://target.example?b'), 200)
  const seen = upstream.requests.map(({ url, headers, rawHeaders }) => [url, headers['x-forwarded-host'], values(rawHeaders, 'host')])
  assert.deepEqual(seen, [['/a?b', 'target.example:81', ['target.example:81']], ['/?b', 'target.example', ['target.example']]])

  for (const target of ['http://user@x/', 'http://user:secret@x/a', 'ftp://x/', 'http:///a', 'http://x:y/', 'http://[::1/', '//user@x:80\\@/']) {
    assert.equal(await status(t, app, target), 400, target)
  }
  assert.equal(upstream.hits, 2)
})

test('CONNECT opens no tunnel and is 405, and its connection is closed', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, { upstream: upstream.url })

  for (const target of ['x:80', 'x:0', 'x:99999', 'x', '/x', '*']) {
    const { status, headers } = await raw(t, app.port, `CONNECT ${target} HTTP/1.1\r\nHost: x\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n`)
    assert.deepEqual([status, headers['connection']], [405, 'close'], target)
  }
  // Node's parser takes that for a version.
  assert.equal((await raw(t, app.port, 'CONNECT x:80 HTTP/2.0\r\nHost: x\r\n\r\n')).status, 405)
  assert.equal(upstream.hits, 0)
  assert.equal((await app.get('/x')).status, 200)
})

test('CONNECT is 405 at both addresses of localhost', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = Fastify()
  t.after(() => app.close())
  await app.register(proxy, { upstream: upstream.url })
  await listenTwice(t, app)

  const addresses = app.addresses() as AddressInfo[]
  assert.equal(addresses.length, 2)
  for (const { address, port } of addresses) {
    const socket = connect(port, address)
    socket.write('CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n')
    assert.match((await socket.setEncoding('latin1').toArray()).join(''), /^HTTP\/1\.1 405 /, address)
  }
})

test('a target of 8,000 bytes passes, and one that is too long is refused with 431', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, { upstream: upstream.url })

  assert.equal(await status(t, app, `/${'a'.repeat(8000)}`), 200)
  assert.equal(await status(t, app, `/${'a'.repeat(20_000)}`), 431)
  assert.deepEqual([upstream.hits, upstream.requests[0]!.url.length], [1, 8001])
})

test('OPTIONS and TRACE are counted down by Max-Forwards, and end here at 0; others are not', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, { routes: [{ url: '/x', method: ['GET', 'OPTIONS', 'TRACE'], upstream: upstream.url }] })
  const at = (method: string, more = '') => raw(t, app.port, `${method} /x HTTP/1.1\r\nHost: x\r\n${more}\r\n`)

  for (const method of ['OPTIONS', 'TRACE']) {
    for (const [sent, arrives] of [['5', '4'], ['1', '0'], ['007', '6'], ['9'.repeat(30), '9007199254740991']] as const) {
      assert.equal((await at(method, `Max-Forwards: ${sent}\r\n`)).status, 200)
      assert.equal(upstream.requests.at(-1)!.headers['max-forwards'], arrives)
    }
    await at(method)
    assert.equal(upstream.requests.at(-1)!.headers['max-forwards'], undefined, 'never made up')
    const { hits } = upstream
    for (const wrong of ['x', '-1', '1.5', '1, 2', '']) assert.equal((await at(method, `Max-Forwards: ${wrong}\r\n`)).status, 400, wrong)
    const last = await at(method, 'Max-Forwards: 0\r\nAuthorization: Basic c2VjcmV0\r\n')
    assert.deepEqual([last.status, last.headers['allow']], [method === 'OPTIONS' ? 200 : 405, 'GET, OPTIONS, TRACE, HEAD'])
    assert.ok(!last.body.includes('c2VjcmV0'))
    assert.equal(upstream.hits, hits)
  }
  await at('GET', 'Max-Forwards: 0\r\n')
  assert.equal(upstream.requests.at(-1)!.headers['max-forwards'], '0')
})

test('a TRACE takes no secrets along, which its answer would give away', async (t) => {
  const upstream = await origin(t, (req, res) => { res.end(`TRACE ${req.url} HTTP/1.1\r\n${req.rawHeaders.join('\r\n')}`) })
  const app = await start(t, {
    routes: [{
      url: '/*',
      method: 'TRACE',
      upstream: upstream.url,
      rewrite: (request) => `${request.url}?key=ours`,
      credentials: () => ({ 'x-user': 'ann', authorization: 'Bearer ours' }),
      headers: { request: { set: { 'x-api-key': 'ours', 'x-fine': 'ours' }, append: { 'x-more': 'ours' } } },
      onProxyRequest: (head) => {
        head.headers['x-signature'] = 'ours'
        head.path += '&signature=ours'
      }
    }]
  })

  const { status, body } = await raw(t, app.port, 'TRACE /x HTTP/1.1\r\nHost: x\r\nAuthorization: Basic theirs\r\nCookie: session=theirs\r\nProxy-Authorization: Basic theirs\r\nX-User: eve\r\nX-Kept: 1\r\n\r\n')

  assert.equal(status, 200)
  assert.match(body.toString(), /^TRACE \/x HTTP[^]*x-kept[^]*via/)
  assert.doesNotMatch(body.toString(), /theirs|ours|ann|eve/)
})

test('of what a gateway adds, a TRACE has Host and Via alone, when it is tried again too', async (t) => {
  let isFirst = true
  const upstream = await origin(t, (req, res) => {
    res.statusCode = isFirst ? 503 : 200
    isFirst = false
    res.end(req.rawHeaders.join('\n'))
  })
  const app = await start(t, {
    upstream: upstream.url,
    method: ['GET', 'TRACE'],
    retry: { on: [503] },
    forwarded: 'both',
    forwardDeadline: true,
    headers: { request: { set: { baggage: 'key=ours' } } },
    onProxyRequest: (head) => { head.headers['x-forwarded-host'] = 'inside.example' }
  })

  const { status } = await raw(t, app.port, 'TRACE /x HTTP/1.1\r\nHost: x\r\nBaggage: key=theirs\r\nX-Envoy-Expected-Rq-Timeout-Ms: 9\r\nX-Kept: 1\r\n\r\n')

  assert.equal(status, 200)
  const names = upstream.requests.map(({ headers }) => Object.keys(headers).filter((name) => name !== 'connection').sort())
  assert.deepEqual(names, [['host', 'via', 'x-kept'], ['host', 'via', 'x-kept']])
})
