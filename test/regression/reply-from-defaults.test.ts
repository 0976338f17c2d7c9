import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connect, raw } from '../helpers/client.ts'
import { heldUp, watchLoop } from '../helpers/fair.ts'
import { answer, echo, origin, refusedPort, type Echo } from '../helpers/origin.ts'
import { start } from '../helpers/proxy.ts'

/* What reply-from, which carries our requests, does when it is left to itself. */

test('reply-from#193: an upstream that answers 503 is asked once, not eleven times', async (t) => {
  const upstream = await origin(t, answer(503, 'busy', { 'retry-after': '1' }))
  const proxy = await start(t, { upstream: upstream.url })

  const response = await proxy.get('/x')

  assert.deepEqual([response.status, response.body, response.headers['retry-after']], [503, 'busy', '1'])
  assert.equal(upstream.hits, 1)
})

test('large 503s use no connections up', async (t) => {
  const upstream = await origin(t, answer(503, Buffer.alloc(1024 * 1024)))
  const proxy = await start(t, { upstream: { endpoints: [upstream.url], pool: { connections: 2 } } })

  const responses = await Promise.all(Array.from({ length: 8 }, () => proxy.get('/x')))

  assert.deepEqual(responses.map(({ status, bytes }) => [status, bytes.length]), Array(8).fill([503, 1024 * 1024]))
  assert.equal(upstream.hits, 8)
})

const headers: [what: string, lines: string][] = [
  ['Keep-Alive, which Connection does not name', 'Keep-Alive: timeout=5\r\n'],
  ['Connection: keep-alive and Keep-Alive', 'Connection: keep-alive\r\nKeep-Alive: timeout=5, max=1000\r\n'],
  ['Proxy-Connection', 'Proxy-Connection: keep-alive\r\n'],
  ['an Upgrade that nobody takes up', 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n'],
  ['an Upgrade that Connection does not name', 'Upgrade: websocket\r\n'],
  ['TE and Trailer', 'TE: trailers, deflate\r\nTrailer: X-Sum\r\n'],
  ['a Connection that is no list of tokens', 'Connection: "x", (y),, ,=\r\n']
]

for (const [what, lines] of headers) {
  test(`a client that sends ${what} is served`, async (t) => {
    const upstream = await origin(t, echo())
    const proxy = await start(t, { upstream: upstream.url })

    const response = await raw(t, proxy.port, `GET /x HTTP/1.1\r\nHost: proxy.test\r\n${lines}\r\n`)

    assert.equal(response.status, 200)
    const seen = (JSON.parse(response.body.toString()) as Echo).headers
    for (const name of ['keep-alive', 'proxy-connection', 'upgrade', 'http2-settings', 'trailer']) assert.equal(seen[name], undefined, name)
    assert.equal(seen.connection, 'keep-alive')
  })
}

for (const waits of [true, false]) {
  test(`a client that expects 100 Continue, and ${waits ? 'waits for it' : 'does not wait for it'}, is served`, async (t) => {
    const upstream = await origin(t, echo())
    const proxy = await start(t, { upstream: upstream.url })
    const client = await connect(t, proxy.port)
    watchLoop()
    const startedAt = performance.now()

    client.write('POST /x HTTP/1.1\r\nHost: proxy.test\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n')
    if (waits) await client.until('HTTP/1.1 100 Continue\r\n\r\n')
    client.write('body')
    const response = await client.response()

    // The second that clients give a server which does not know of it.
    assert.ok(performance.now() - startedAt - heldUp(startedAt) < 1000)
    const seen = JSON.parse(response.body.toString()) as Echo
    assert.equal(seen.body, 'body')
    assert.equal(seen.headers.expect, undefined)
  })
}

for (const body of ['false', '0', '""', 'null', '{}', '']) {
  test(`the JSON ${body === '' ? 'of no bytes' : body} arrives as it was sent`, async (t) => {
    const upstream = await origin(t, echo())
    const proxy = await start(t, { upstream: upstream.url })

    const response = await proxy.request('/x', { method: 'POST', body, headers: { 'content-type': 'application/json; charset=utf-8', 'content-length': body.length } })

    const seen = JSON.parse(response.body) as Echo
    assert.equal(seen.body, body)
    assert.equal(seen.headers['content-type'], 'application/json; charset=utf-8')
    assert.equal(seen.headers['content-length'], String(body.length))
  })
}

test('a failure tells the client neither the address nor the system\'s own words', async (t) => {
  const port = await refusedPort()
  const proxy = await start(t, { upstream: `http://127.0.0.1:${port}` })

  const response = await proxy.get('/x')

  assert.equal(response.status, 502)
  assert.doesNotMatch(response.body + response.rawHeaders.join(), new RegExp(`${port}|127\\.0\\.0\\.1|ECONNREFUSED`))
})
