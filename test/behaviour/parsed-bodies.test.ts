import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import formbody from '@fastify/formbody'
import multipart from '@fastify/multipart'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { echo, origin, type Echo, type Origin } from '../helpers/origin.ts'
import { start, type Started } from '../helpers/proxy.ts'

/** An app that has parsed a body before it sends the request on. */
async function parsing (t: TestContext, before: (app: FastifyInstance) => unknown, handle: (request: FastifyRequest) => unknown = () => {}): Promise<{ app: Started, upstream: Origin }> {
  const upstream = await origin(t, echo())
  const app = await start(t, { upstreams: { main: upstream.url }, routes: [] }, {
    before: async (app) => { await before(app) },
    after: (app) => {
      app.post('/*', async (request, reply) => {
        await handle(request)
        return reply.proxy('main')
      })
    }
  })
  return { app, upstream }
}

const upload = '--xx\r\nContent-Disposition: form-data; name="name"\r\n\r\nann\r\n--xx\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\nContent-Type: application/octet-stream\r\n\r\n\x01\x02\r\n--xx--\r\n'
const multipartType = { 'content-type': 'multipart/form-data; boundary=xx' }

const lost: readonly (readonly [what: string, before: (app: FastifyInstance) => unknown, handle?: (request: FastifyRequest) => unknown])[] = [
  ['that @fastify/multipart has attached', (app) => app.register(multipart, { attachFieldsToBody: true })],
  ['that @fastify/multipart has attached by keys', (app) => app.register(multipart, { attachFieldsToBody: 'keyValues' })],
  ['of which a handler has read a file', (app) => app.register(multipart), async (request) => { await (await (request as unknown as { file (): Promise<{ toBuffer (): Promise<Buffer> }> }).file()).toBuffer() }],
  ['that a parser has read and put away', (app) => { app.addContentTypeParser('multipart/form-data', (_request, payload, done) => { payload.resume().on('end', () => { done(null) }) }) }],
  ['that a parser has made nothing of', (app) => { app.addContentTypeParser('multipart/form-data', { parseAs: 'buffer' }, (_request, _body, done) => { done(null, null) }) }]
]

for (const [what, before, handle] of lost) {
  test(`reply.proxy refuses a multipart body ${what}, and the log says why`, async (t) => {
    const { app, upstream } = await parsing(t, before, handle)

    const { status, body } = await app.request('/up', { method: 'POST', body: upload, headers: multipartType })
    const line = await app.line()

    assert.deepEqual([status, JSON.parse(body).code, upstream.hits], [500, 'FST_SLUICE_CONFIG_ERROR', 0])
    assert.deepEqual([line['error'], line['level']], ['config_error', 40])
    assert.match(JSON.stringify(line['err']), /cannot be sent on: declare a proxied route, call reply\.proxy in a hook before the body is parsed/)
    assert.equal(app.logs.filter((entry) => JSON.stringify(entry).includes('cannot be sent on')).length, 1)
  })
}

test('reply.proxy sends a multipart body on byte for byte where nobody has touched it', async (t) => {
  const { app } = await parsing(t, (app) => app.register(multipart))
  const bytes = Buffer.from(upload, 'latin1')

  const response = await app.request('/up', { method: 'POST', body: bytes, headers: multipartType })
  const echoed = JSON.parse(response.body) as Echo

  assert.deepEqual([echoed.body, echoed.headers['content-type'], echoed.headers['content-length']], [upload, multipartType['content-type'], String(bytes.length)])
})

test('reply.proxy sends a form that @fastify/formbody has parsed as a form', async (t) => {
  const { app } = await parsing(t, (app) => app.register(formbody))
  const body = 'a=1&b=2&b=3&c+d=%C3%A9%26'

  const echoed = JSON.parse((await app.request('/up', { method: 'POST', body, headers: { 'content-type': 'application/x-www-form-urlencoded' } })).body) as Echo

  assert.deepEqual([echoed.body, echoed.headers['content-type'], echoed.headers['content-length']], [body, 'application/x-www-form-urlencoded', String(body.length)])
})

test('reply.proxy refuses what is neither JSON nor a flat form, and sends texts and bytes on', async (t) => {
  const { app, upstream } = await parsing(t, (app) => {
    app.addContentTypeParser('application/xml', { parseAs: 'string' }, (_request, _text, done) => { done(null, { a: {} }) })
    app.addContentTypeParser('text/xml', { parseAs: 'string' }, (_request, text, done) => { done(null, text) })
    app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, _text, done) => { done(null, { a: { b: '1' } }) })
  })
  for (const type of ['application/xml', 'application/x-www-form-urlencoded']) {
    assert.equal((await app.request('/up', { method: 'POST', body: 'a[b]=1', headers: { 'content-type': type } })).status, 500)
  }
  assert.equal(upstream.hits, 0)

  const echoed = JSON.parse((await app.request('/up', { method: 'POST', body: '<a/>', headers: { 'content-type': 'text/xml' } })).body) as Echo
  assert.deepEqual([echoed.body, echoed.headers['content-type']], ['<a/>', 'text/xml'])
})

test('a body that is given goes, whatever has become of the client’s', async (t) => {
  const upstream = await origin(t, echo())
  const app = await start(t, { upstreams: { main: upstream.url }, routes: [] }, {
    before: async (app) => { await app.register(multipart, { attachFieldsToBody: 'keyValues' }) },
    after: (app) => { app.post('/*', (request, reply) => reply.proxy('main', { body: { name: (request.body as { name: string }).name } })) }
  })

  const echoed = JSON.parse((await app.request('/up', { method: 'POST', body: upload, headers: multipartType })).body) as Echo

  assert.deepEqual([echoed.body, echoed.headers['content-type']], ['{"name":"ann"}', 'application/json'])
})
