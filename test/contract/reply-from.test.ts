import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import test, { type TestContext } from 'node:test'
import replyFrom from '@fastify/reply-from'
import type { FastifyReplyFromHooks, FastifyReplyFromOptions } from '@fastify/reply-from'
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { connect, request } from '../helpers/client.ts'

/*
 * What lib/data-plane/reply-from.ts leans on in @fastify/reply-from; an update that breaks one of these says so here by its name.
 */

interface Asked { origin: string, path: string, method: string, headers: Record<string | symbol, unknown>, body: unknown }
type Respond = (error: Error | null, response: { statusCode: number, headers: Record<string, string | string[]>, body: unknown } | null) => void

const base = 'http://proxy.invalid'
const kCarried = Symbol('carried')
const carried = { what: 'an exchange' }

/** As lib has them, but for `onResponse`. */
const hooks = Object.freeze({
  getUpstream: () => base,
  queryString: () => '',
  body: null,
  rewriteRequestHeaders: () => ({ [kCarried]: carried }),
  retryDelay: () => null,
  onResponse: (_request: FastifyRequest, reply: FastifyReply, response: { stream: unknown }) => { reply.send(response.stream) }
})

const ok: Parameters<Respond>[1] = { statusCode: 200, headers: { 'content-type': 'text/plain' }, body: Buffer.from('ok') }

interface Started { url: string, port: number, asked: Asked[], lines: string[] }

/** An app whose every request goes `from` with these hooks to what `answer` makes of it. */
async function startFrom (t: TestContext, answer: (asked: Asked, respond: Respond) => void, own: object = {}, prepare: (request: FastifyRequest) => void = () => {}): Promise<Started> {
  const asked: Asked[] = []
  const lines: string[] = []
  const app = Fastify({ logger: { level: 'trace', stream: { write: (line: string) => { lines.push(line) } } } }) as unknown as FastifyInstance
  const undici = { request (options: Asked, respond: Respond): void { asked.push(options); answer(options, respond) } }
  app.register(replyFrom, { base, undici, disableRequestLogging: true } as unknown as FastifyReplyFromOptions)
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, payload, done) => { done(null, payload) })
  app.addHook('preHandler', async (request) => { prepare(request) })
  app.all('/*', (_request, reply) => { reply.from('/', { ...hooks, ...own } as unknown as FastifyReplyFromHooks) })
  t.after(() => app.close())
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as { port: number }
  return { url: `http://127.0.0.1:${port}`, port, asked, lines }
}

test('calls the request function of what it is given for undici, and a symbol among the headers arrives there', async (t) => {
  const { url, asked } = await startFrom(t, (_asked, respond) => { respond(null, ok) })

  const { status, body } = await request(`${url}/x`, { method: 'POST', body: 'text' })

  assert.deepEqual([status, body], [200, 'ok'])
  assert.equal(asked.length, 1)
  assert.equal(asked[0]!.headers[kCarried], carried)
})

test('asks, hears the answer and hands it back within the call, out of which comes what that throws', async (t) => {
  const seen: string[] = []
  let upstream: Respond | null = null
  const { url } = await startFrom(t, (_asked, respond) => {
    seen.push('asked')
    upstream = respond
    try {
      respond(null, ok)
    } catch (error) {
      seen.push((error as Error).message)
      throw error
    }
    seen.push('never')
  }, {
    onResponse: () => {
      seen.push('answered')
      throw new Error('thrown by onResponse')
    }
  })

  assert.equal((await request(url)).status, 500)
  assert.notEqual(upstream, null)
  assert.deepEqual(seen, ['asked', 'answered', 'thrown by onResponse'])
})

test('with a constant source and no query it asks for a constant target, whatever the request\'s own', async (t) => {
  const { url, asked } = await startFrom(t, (_asked, respond) => { respond(null, ok) })

  for (const path of ['/', '/a/b?c=d', '//x/..%2fy', '/%2e%2e/z', '/?']) await request(url + path)

  assert.deepEqual(asked.map(({ origin, path }) => origin + path), Array(5).fill('http://proxy.invalid/'))
})

test('hands back what is answered, and sends nothing by itself', async (t) => {
  const given: unknown[] = []
  const { url } = await startFrom(t, (_asked, respond) => { respond(null, { statusCode: 201, headers: {}, body: Readable.from(['a']) }) }, {
    onResponse: (_request: FastifyRequest, reply: FastifyReply, response: { stream: unknown }) => {
      given.push(response.stream, reply.sent, reply.statusCode)
      reply.send('of ours')
    }
  })

  const { body } = await request(url)

  assert.ok(given[0] instanceof Readable)
  assert.deepEqual(given.slice(1), [false, 201])
  assert.equal(body, 'of ours')
})

for (const [what, body] of Object.entries<unknown>({ 'a buffer': Buffer.from('payload'), nothing: undefined, 'a stream': Readable.from(['pay', 'load']) })) {
  test(`a body that is ${what} comes through as it is`, async (t) => {
    let given: unknown = null
    const { url } = await startFrom(t, (_asked, respond) => { respond(null, { statusCode: 200, headers: {}, body }) }, {
      onResponse: (_request: FastifyRequest, reply: FastifyReply, response: { stream: unknown }) => {
        given = response.stream
        reply.send(response.stream)
      }
    })

    const response = await request(url)

    assert.equal(given, body)
    assert.equal(response.body, body === undefined ? '' : 'payload')
  })
}

test('puts the headers and the status on the reply, several values too', async (t) => {
  const { url } = await startFrom(t, (_asked, respond) => {
    respond(null, { statusCode: 418, headers: { 'set-cookie': ['a=1', 'b=2'], 'x-a': '1', 'content-length': '2' }, body: Buffer.from('ok') })
  })

  const { status, headers } = await request(url)

  assert.deepEqual([status, headers['set-cookie'], headers['x-a'], headers['content-length']], [418, ['a=1', 'b=2'], '1', '2'])
})

for (const status of [503, 500, 200]) {
  test(`with a retryDelay of null it asks once for a GET that is answered ${status}`, async (t) => {
    const { url, asked } = await startFrom(t, (_asked, respond) => { respond(null, { statusCode: status, headers: { 'retry-after': '0' }, body: Buffer.from('') }) })

    assert.equal((await request(url)).status, status)
    assert.equal(asked.length, 1)
  })
}

test('without one it asks again, ten times: the reason to have it', async (t) => {
  const { url, asked } = await startFrom(t, (_asked, respond) => { respond(null, { statusCode: 503, headers: { 'retry-after': '1' }, body: Buffer.from('') }) }, { retryDelay: undefined })

  assert.equal((await request(url)).status, 503)
  assert.equal(asked.length, 11)
})

// An object with another type than JSON, something that JSON has no word for, and anything at all with a GET would make it throw.
for (const body of [{ a: 1 }, 10n, 'text']) {
  test(`with a body of null it does not look at what a parser or a hook made of the request's: ${typeof body}`, async (t) => {
    const { url, asked } = await startFrom(t, (_asked, respond) => { respond(null, ok) }, {}, (request) => { request.body = body })

    const statuses = [await request(url), await request(url, { method: 'POST', body: 'text', headers: { 'content-type': 'application/json' } })].map(({ status }) => status)

    assert.deepEqual(statuses, [200, 200])
    assert.deepEqual(asked.map((options) => options.body), [undefined, undefined])
  })
}

test('and without it throws', async (t) => {
  const { url, asked } = await startFrom(t, (_asked, respond) => { respond(null, ok) }, { body: undefined }, (request) => { request.body = { a: 1 } })

  assert.equal((await request(url)).status, 500)
  assert.equal(asked.length, 0)
})

test('an upload is left unread, for us to read', async (t) => {
  const raws: Readable[] = []
  const { url } = await startFrom(t, (_asked, respond) => {
    const chunks: Buffer[] = []
    raws[0]!.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', () => { respond(null, { statusCode: 200, headers: {}, body: Buffer.concat(chunks) }) })
  }, {
    rewriteRequestHeaders: (request: FastifyRequest) => {
      assert.equal(request.raw.readableFlowing, null)
      raws.push(request.raw)
      return {}
    }
  })

  assert.equal((await request(url, { method: 'POST', body: 'x'.repeat(200_000) })).body.length, 200_000)
})

test('an answer to an upload that is not through closes the connection of the client', async (t) => {
  const { port } = await startFrom(t, (_asked, respond) => { respond(null, ok) })
  const client = await connect(t, port)

  client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nhalf')

  assert.equal((await client.response()).headers['connection'], 'close')
})

test('registering it touches nothing of the app but decorateReply and two hooks', async (t) => {
  const app = Fastify()
  t.after(() => app.close())
  const touched: string[] = []
  const decorators: unknown[] = []
  const watched = new Proxy(Object.create(app, { decorateReply: { value: (...args: unknown[]) => { decorators.push(args[0], typeof args[1]) } } }) as FastifyInstance, {
    get (object, name) {
      if (typeof name === 'string') touched.push(name)
      return Reflect.get(object, name, object)
    }
  })
  let outcome: unknown = 'not called'

  replyFrom(watched, { base, undici: { request () {} } } as unknown as FastifyReplyFromOptions, (error) => { outcome = error })

  assert.equal(outcome, undefined)
  assert.deepEqual(decorators, ['from', 'function'])
  assert.deepEqual([...new Set(touched)].sort(), ['addHook', 'decorateReply', 'onClose'])
  assert.equal(app.hasReplyDecorator('from'), false)
  await app.ready()
  // For its warning about @fastify/multipart.
  assert.ok(touched.includes('hasPlugin'))
})

test('writes no line of its own with disableRequestLogging', async (t) => {
  const { url, lines } = await startFrom(t, (_asked, respond) => { respond(null, ok) })

  await request(url)

  assert.deepEqual(lines.filter((line) => /fetching|response received/.test(line)), [])
})

test('closing the app leaves what it was given for undici alone', async () => {
  let isDestroyed = false
  const app = Fastify()
  const undici = { request () {}, destroy () { isDestroyed = true }, close () { isDestroyed = true } }
  app.register(replyFrom, { base, undici } as unknown as FastifyReplyFromOptions)

  await app.ready()
  await app.close()

  assert.equal(isDestroyed, false)
})
