import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import test, { type TestContext } from 'node:test'
import type { InjectOptions } from 'fastify'
import { answer, cutBody, drip, echo, type Echo, hang, origin, refusedPort, type Step } from '../helpers/origin.ts'
import { start, type Started } from '../helpers/proxy.ts'

/*
 * `app.inject()`, with which apps are tested, sends nothing over a connection to them; from there on the proxy is at work as ever.
 */

async function injected (t: TestContext, step: Step): Promise<Started> {
  const upstream = await origin(t, step)
  return await start(t, {
    routes: [
      { url: '/*', upstream: upstream.url, retry: false },
      { url: '/silent', upstream: upstream.url, retry: false, timeouts: { head: 50 } },
      { url: '/seen', upstream: upstream.url, retry: false, onSend: async (_request, _reply, payload) => payload },
      { url: '/refused', upstream: `http://127.0.0.1:${await refusedPort()}`, retry: false }
    ]
  }, { after: (app) => { app.post('/own', (_request, reply) => { reply.proxy(upstream.url, { path: '/there' }) }) } })
}

const large = 'abcdefgh'.repeat(128 * 1024)

const answers: readonly (readonly [what: string, step: Step, asked: InjectOptions, status: number, body: string | RegExp])[] = [
  ['an answer', answer(200, 'ok', { 'content-type': 'text/plain' }), {}, 200, 'ok'],
  ['an answer that a hook sees', answer(200, 'ok', { 'content-type': 'text/plain' }), { url: '/seen' }, 200, 'ok'],
  ['an answer without a type', answer(200, 'ok'), {}, 200, 'ok'],
  ['an answer without a body', answer(204), {}, 204, ''],
  ['an answer to HEAD', answer(200, 'ok'), { method: 'HEAD' }, 200, ''],
  ['an error of the upstream\'s', answer(503, 'no', { 'content-type': 'text/plain' }), {}, 503, 'no'],
  ['a large body', answer(200, large), {}, 200, large],
  ['a body in pieces', drip(['a', large, 'b'], 5), {}, 200, `a${large}b`],
  ['a body in pieces that a hook sees', drip(['a', large, 'b'], 5), { url: '/seen' }, 200, `a${large}b`],
  ['an upstream that refuses', answer(200), { url: '/refused' }, 502, /"code":"FST_SLUICE_CONNECTION_REFUSED"/],
  ['an upstream that is silent', hang(), { url: '/silent' }, 504, /"code":"FST_SLUICE_HTTP_RESPONSE_TIMEOUT"/],
  ['a target that cannot be forwarded', answer(200), { url: '/a%2f..%2fb' }, 400, /"status":400/]
]

for (const [what, step, asked, status, body] of answers) {
  test(`inject() gets ${what}, and the access line tells of it`, async (t) => {
    const { app, line } = await injected(t, step)
    const response = await app.inject({ url: '/a', ...asked })
    assert.equal(response.statusCode, status)
    if (typeof body === 'string') assert.ok(response.body === body)
    else assert.match(response.body, body)
    assert.equal(response.headers.connection, 'keep-alive')
    const { status: logged, aborted, bytesOut } = await line()
    assert.deepEqual([logged, aborted ?? false], [status, false])
    if (typeof body === 'string') assert.equal(bytesOut, body.length)
  })
}

const uploads: readonly (readonly [what: string, asked: InjectOptions, body: string])[] = [
  ['an object', { payload: { a: 1 } }, '{"a":1}'],
  ['a text', { payload: 'abc', headers: { 'content-type': 'text/odd' } }, 'abc'],
  ['a large buffer', { payload: Buffer.from(large) }, large],
  ['a stream of a known length', { payload: Readable.from([Buffer.from('ab'), Buffer.from('c')]), headers: { 'content-length': '3' } }, 'abc'],
  ['a stream in chunks', { payload: Readable.from([Buffer.from('ab'), Buffer.from(large)]), headers: { 'transfer-encoding': 'chunked' } }, `ab${large}`]
]

for (const [what, asked, body] of uploads) {
  test(`inject() sends ${what}`, async (t) => {
    const { app, line } = await injected(t, echo())
    const response = await app.inject({ method: 'POST', url: '/a', ...asked })
    const received: Echo = response.json()
    assert.equal(received.method, 'POST')
    assert.ok(received.body === body)
    assert.equal((await line()).bytesIn, body.length)
  })
}

test('inject() sends what a parser of the app has read, by way of reply.proxy', async (t) => {
  const { app } = await injected(t, echo())
  const received: Echo = (await app.inject({ method: 'POST', url: '/own', payload: { a: 1 } })).json()
  assert.deepEqual([received.url, received.body], ['/there', '{"a":1}'])
})

test('inject() rejects where a body breaks off, as a client would have it', async (t) => {
  const { app, line } = await injected(t, cutBody(10, 3))
  await assert.rejects(app.inject('/a'), { code: 'LIGHT_ECONNRESET' })
  assert.equal((await line()).error, 'http_response_incomplete')
})

test('inject() reads a body as it comes', async (t) => {
  const { app } = await injected(t, drip(['a', large, 'b'], 5))
  const response = await app.inject({ url: '/a', payloadAsStream: true })
  const chunks: Buffer[] = []
  for await (const chunk of response.stream()) chunks.push(chunk)
  assert.ok(Buffer.concat(chunks).toString() === `a${large}b`)
})

test('inject() names its client to the upstream', async (t) => {
  const { app } = await injected(t, echo())
  const { headers }: Echo = (await app.inject({ url: '/a', remoteAddress: '192.0.2.7' })).json()
  assert.equal(headers['x-forwarded-for'], '192.0.2.7')
})

test('an app that closes lets an injected request finish', async (t) => {
  const { app } = await injected(t, drip(['a', 'b'], 30))
  const response = await app.inject({ url: '/a', payloadAsStream: true })
  const closing = app.close()
  const chunks: Buffer[] = []
  for await (const chunk of response.stream()) chunks.push(chunk)
  await closing
  assert.equal(Buffer.concat(chunks).toString(), 'ab')
})
