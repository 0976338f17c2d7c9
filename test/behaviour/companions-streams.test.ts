import assert from 'node:assert/strict'
import { test } from 'node:test'
import { brotliDecompressSync, gunzipSync, gzipSync } from 'node:zlib'
import circuitBreaker from '@fastify/circuit-breaker'
import compress from '@fastify/compress'
import cors from '@fastify/cors'
import { connect } from '../helpers/client.ts'
import { fairly } from '../helpers/fair.ts'
import { answer, drip, origin } from '../helpers/origin.ts'
import { start } from '../helpers/proxy.ts'

const text = 'compressible text, '.repeat(2000)

test('compress: what the upstream sent plain is compressed for clients that take it, whether it comes whole or in pieces', async (t) => {
  const upstream = await origin(t, (req, res) => {
    res.writeHead(200, { 'content-type': 'text/plain', vary: 'origin', ...(req.url === '/whole' ? { 'content-length': text.length } : {}) })
    if (req.url === '/whole') res.end(text)
    else {
      res.write(text.slice(0, 10))
      setImmediate(() => res.end(text.slice(10)))
    }
  })
  // What it does at once, with a length, and what as a stream would else depend on how many cores there are.
  const proxy = await start(t, { upstream: upstream.url }, { before: async (app) => { await app.register(compress, { syncThreshold: 0 }) } })

  for (const path of ['/whole', '/pieces']) {
    const gzipped = await proxy.get(path, { 'accept-encoding': 'gzip' })
    const brotli = await proxy.get(path, { 'accept-encoding': 'br' })
    const plain = await proxy.get(path)

    assert.deepEqual([gzipped.headers['content-encoding'], gunzipSync(gzipped.bytes).toString() === text, gzipped.headers['content-length']], ['gzip', true, undefined])
    assert.equal(brotliDecompressSync(brotli.bytes).toString(), text)
    assert.deepEqual([plain.headers['content-encoding'], plain.body === text], [undefined, true])
    assert.match(String(gzipped.headers.vary), /origin.*accept-encoding/)
  }
})

test('compress: what the upstream has encoded stays as it is, and so does a part', async (t) => {
  const coded = gzipSync(text)
  const upstream = await origin(t, (req, res) => {
    if (req.url === '/coded') res.writeHead(200, { 'content-type': 'text/plain', 'content-encoding': 'gzip', 'content-length': coded.length }).end(coded)
    else res.writeHead(206, { 'content-type': 'text/plain', 'content-range': `bytes 0-9/${text.length}`, 'content-length': 10 }).end(text.slice(0, 10))
  })
  const proxy = await start(t, { upstream: upstream.url }, { before: async (app) => { await app.register(compress, { threshold: 0 }) } })

  const { headers, bytes } = await proxy.get('/coded', { 'accept-encoding': 'br, gzip' })
  const part = await proxy.get('/part', { 'accept-encoding': 'br, gzip', range: 'bytes=0-9' })

  assert.deepEqual([headers['content-encoding'], headers['content-length'], bytes.equals(coded)], ['gzip', String(coded.length), true])
  assert.deepEqual([part.status, part.headers['content-encoding'], part.body], [206, undefined, text.slice(0, 10)])
})

test('compress: server-sent events are not held back', async (t) => {
  const upstream = await origin(t, drip(['data: 1\n\n', 'data: 2\n\n'], 30_000, { 'content-type': 'text/event-stream' }))
  const proxy = await start(t, { upstream: upstream.url }, { before: async (app) => { await app.register(compress, { threshold: 0 }) } })
  const client = await connect(t, proxy.port)

  client.write('GET /x HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n')

  await client.until('data: 1')
})

test('compress: a body that breaks off is not made a whole one', async (t) => {
  const upstream = await origin(t, (_req, res) => {
    res.writeHead(200, { 'content-type': 'text/plain' })
    res.write(text)
    setTimeout(() => res.destroy(), 50)
  })
  const proxy = await start(t, { upstream: upstream.url }, { before: async (app) => { await app.register(compress) } })

  const response = await proxy.get('/x', { 'accept-encoding': 'gzip' })

  // Where it broke before the head was out, the answer is another.
  assert.ok(response.status === 200 ? response.aborted : response.status === 502, `${response.status} ${response.bytes.length}`)
})

test('circuit-breaker: a failing upstream opens it, and it closes again; a client that leaves does not leave it half open for ever', (t) => fairly(20, async () => {
  let how: 'fail' | 'hang' | 'work' = 'fail'
  const upstream = await origin(t, (_req, res) => {
    if (how === 'fail') res.destroy()
    else if (how === 'work') res.end('well')
  })
  const options = { threshold: 2, resetTimeout: 100, timeout: 5000 }
  const proxy = await start(t, { routes: [], upstreams: {} }, {
    after: async (app) => {
      await app.register(circuitBreaker, options)
      app.proxy.route({ url: '/x', method: 'GET', upstream: upstream.url, preHandler: app.circuitBreaker() })
    }
  })

  assert.equal((await proxy.get('/x')).status, 502)
  // The one that opens it is answered by it already.
  assert.equal((await proxy.get('/x')).status, 503)
  const { hits } = upstream
  assert.equal((await proxy.get('/x')).status, 503)
  assert.equal(upstream.hits, hits)

  how = 'hang'
  await new Promise((resolve) => { setTimeout(resolve, 150) })
  const client = await connect(t, proxy.port)
  client.write('GET /x HTTP/1.1\r\nHost: x\r\n\r\n')
  await upstream.arrived(hits + 1)
  client.reset()
  await proxy.line((line) => line['status'] === 499)
  how = 'work'
  await new Promise((resolve) => { setTimeout(resolve, 150) })

  const response = await proxy.get('/x')
  assert.deepEqual([response.status, response.body], [200, 'well'])
}))

test('cors: what the upstream says of the origin comes in the place of ours, once, unless it is removed', async (t) => {
  const upstream = await origin(t, answer(200, 'ok', { 'access-control-allow-origin': '*', vary: 'Accept' }))
  const proxy = await start(t, {
    routes: [{ url: '/theirs', upstream: upstream.url }, { url: '/ours', upstream: upstream.url, onProxyResponse: (head) => { delete head.headers['access-control-allow-origin'] } }]
  }, {
    before: async (app) => { await app.register(cors, { origin: ['https://shop.test'] }) }
  })

  const theirs = await proxy.get('/theirs', { origin: 'https://shop.test' })
  const ours = await proxy.get('/ours', { origin: 'https://shop.test' })

  assert.equal(theirs.headers['access-control-allow-origin'], '*')
  assert.equal(ours.headers['access-control-allow-origin'], 'https://shop.test')
})
