import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connect } from '../helpers/client.ts'
import { echo, origin, type Echo } from '../helpers/origin.ts'
import { start } from '../helpers/proxy.ts'

/*
 * CVE-2026-29057: a chunked DELETE lost its Transfer-Encoding on the way, and its body was the upstream's next request. Bodies are
 * framed by what frames them, never by the method.
 */

const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: evil.test\r\n\r\n'

for (const method of ['DELETE', 'OPTIONS', 'GET', 'POST', 'PUT', 'PATCH', 'SEARCH', 'PROPFIND', 'QUERY', 'TRACE', 'LOCK']) {
  for (const framing of ['chunked', 'length'] as const) {
    test(`the body of a ${method} by ${framing} arrives as a body`, async (t) => {
      const upstream = await origin(t, echo())
      // TRACE is for routes that name it.
      const proxy = await start(t, { routes: [{ url: '/*', upstream: upstream.url, ...method === 'TRACE' && { method: ['GET', method] } }] }, {
        before: (app) => {
          if (!app.supportedMethods.includes(method)) app.addHttpMethod(method)
        }
      })
      const client = await connect(t, proxy.port)
      const body = framing === 'chunked' ? `${smuggled.length.toString(16)}\r\n${smuggled}\r\n0\r\n\r\n` : smuggled
      const header = framing === 'chunked' ? 'Transfer-Encoding: chunked' : `Content-Length: ${smuggled.length}`

      client.write(`${method} /x HTTP/1.1\r\nHost: proxy.test\r\nContent-Type: text/plain\r\n${header}\r\n\r\n${body}GET /next HTTP/1.1\r\nHost: proxy.test\r\n\r\n`)
      const first = await client.response()
      const second = await client.response()

      const seen = JSON.parse(first.body.toString()) as Echo
      assert.deepEqual([seen.method, seen.url, seen.body], [method, '/x', smuggled])
      assert.equal((JSON.parse(second.body.toString()) as Echo).url, '/next')
      assert.deepEqual(upstream.requests.map(({ url }) => url), ['/x', '/next'])
    })
  }
}

test('a request that says both how long it is and that it is chunked is refused', async (t) => {
  const upstream = await origin(t, echo())
  const proxy = await start(t, { upstream: upstream.url })
  const client = await connect(t, proxy.port)

  client.write(`POST /x HTTP/1.1\r\nHost: proxy.test\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`)
  const response = await client.response()

  assert.equal(response.status, 400)
  await client.closed
  assert.equal(upstream.hits, 0)
})
