import assert from 'node:assert/strict'
import test from 'node:test'
import { gzipSync } from 'node:zlib'
import { connect, raw } from '../helpers/client.ts'
import { answer, origin } from '../helpers/origin.ts'
import { start } from '../helpers/proxy.ts'

/* Advisories about bodies: what a proxy parses and writes anew is another message than the one that was checked. */

test('CVE-2023-51701 GHSA-v2v2-hph8-q5xp (reply-from 9.6.0): a content type in any spelling reaches the upstream with the very body', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, { upstream: upstream.url }, { before: (app) => { app.addContentTypeParser('text/csv', { parseAs: 'string' }, async () => ({ evil: true })) } })
  const body = '{"role":"user", "role":"admin"}'

  for (const type of ['application/json ; charset=utf-8', 'Application/JSON', 'application/json\t;x', 'text/csv; header=present', 'application/x-www-form-urlencoded;a', 'application/json, text/plain']) {
    assert.equal((await raw(t, app.port, `POST /x HTTP/1.1\r\nHost: x\r\nContent-Type: ${type}\r\nContent-Length: ${body.length}\r\n\r\n${body}`)).status, 200, type)
    const seen = upstream.requests.at(-1)!
    assert.deepEqual([seen.headers['content-type'], seen.body.toString()], [type, body], type)
  }
})

test('GHSA-gcq2-9pq2-cxqm, CVE-2025-32996 GHSA-4www-5p9h-95mh, CVE-2025-32997 GHSA-9gqv-wp59-fq42 (http-proxy-middleware): a multipart or form body is written once, byte for byte', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, { upstream: upstream.url })
  const multipart = '--b\r\nContent-Disposition: form-data; name="a\r\nX-Injected: 1"\r\n\r\n1\r\n--b--\r\n'

  for (const [type, body] of [['multipart/form-data; boundary=b', multipart], ['application/x-www-form-urlencoded', 'a=1&a=2&__proto__=x&b=%0d%0a']] as const) {
    await raw(t, app.port, `POST /x HTTP/1.1\r\nHost: x\r\nContent-Type: ${type}\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
    const seen = upstream.requests.at(-1)!
    assert.deepEqual([seen.body.toString(), seen.headers['content-length'], seen.headers['content-type']], [body, `${body.length}`, type])
  }
})

test('CVE-2025-32442, CVE-2026-25223, -3419, -33806, -107832 (fastify): no content type goes around the hooks that guard a route', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, { upstream: upstream.url, preHandler: async (_request, reply) => { await reply.code(403).send() } })

  for (const type of ['application/json', 'application/json\tx', ' application/json', 'APPLICATION/JSON;', 'application/ json', 'a', '', ';', '\xe4/\xe4']) {
    assert.equal((await raw(t, app.port, `POST /x HTTP/1.1\r\nHost: x\r\nContent-Type: ${type}\r\nContent-Length: 2\r\n\r\n{}`)).status, 403, type)
  }
  assert.equal(upstream.hits, 0)
})

test('CVE-2026-25224 GHSA-mrq3-vjjr-p77c (fastify 5.7.3): a client that does not read holds the upstream back', async (t) => {
  let written = 0
  const upstream = await origin(t, (_req, res) => {
    const chunk = Buffer.alloc(65_536)
    const more = (): void => {
      do written += chunk.length
      while (!res.destroyed && written < 256 * 1024 * 1024 && res.write(chunk))
      res.once('drain', more)
    }
    more()
  })
  const app = await start(t, { upstream: upstream.url, timeouts: { write: 700 } })
  const client = await connect(t, app.port, { keep: false })

  client.write('GET /x HTTP/1.1\r\nHost: x\r\n\r\n')
  client.socket.pause()
  await app.line()

  assert.ok(written < 64 * 1024 * 1024, `${written} bytes`)
})

test('CVE-2026-22036 GHSA-g9mf-h72j-4rw9 (undici 7.18.2): a chain of codings is not followed without end', async (t) => {
  const body = gzipSync(gzipSync(gzipSync('x'.repeat(1000))))
  const upstream = await origin(t, answer(200, body, { 'content-type': 'text/plain', 'content-encoding': 'gzip, '.repeat(200) + 'gzip' }), answer(200, gzipSync(gzipSync('x')), { 'content-type': 'text/plain', 'content-encoding': 'gzip, '.repeat(50) + 'gzip' }))
  const app = await start(t, { routes: [{ url: '/plain', upstream: upstream.url }, { url: '/rewritten', upstream: upstream.url, body: { rewrite: { whole: () => 'rewritten' } } }] })

  // Without rewriting nothing is decoded at all.
  assert.ok((await app.get('/plain')).bytes.equals(body))
  // And what cannot be read in a step or two is not rewritten.
  const { status, body: text } = await app.get('/rewritten')
  assert.notDeepEqual([status, text], [200, 'rewritten'])
})
