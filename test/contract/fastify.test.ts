import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Readable } from 'node:stream'
import test, { type TestContext } from 'node:test'
import cors from '@fastify/cors'
import Fastify, { type FastifyBaseLogger, type FastifyInstance, type FastifyRequest, type FastifyServerOptions } from 'fastify'
import { connect, request } from '../helpers/client.ts'
import { listenTwice } from '../helpers/localhost.ts'
import { Bell } from '../helpers/until.ts'

/*
 * What lib leans on in Fastify; an update that breaks one of these says so here by its name. What happens to a response is in
 * fastify-reply.test.ts.
 */

async function listening (t: TestContext, set: (app: FastifyInstance) => void | Promise<void>, options: FastifyServerOptions = {}): Promise<{ app: FastifyInstance, url: string, port: number }> {
  const app = Fastify(options) as FastifyInstance
  t.after(() => app.close())
  await set(app)
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as { port: number }
  return { app, port, url: `http://127.0.0.1:${port}` }
}

test('its own error handler is not bound, in any scope, and one that an app sets is', async () => {
  const app = Fastify()
  const names: string[] = [app.errorHandler.name]
  app.register(async (scope) => { names.push(scope.errorHandler.name) })
  app.register(async (scope) => {
    scope.setErrorHandler(function ofTheApp () {})
    scope.register(async (inner) => { names.push(inner.errorHandler.name) })
  })

  await app.ready()

  assert.deepEqual(names, ['defaultErrorHandler', 'defaultErrorHandler', 'bound ofTheApp'])
})

test('what an error handler throws goes to that of the scope around it', async (t) => {
  const { url } = await listening(t, (app) => {
    app.setErrorHandler((error, _request, reply) => { reply.code(418).send(`outer: ${(error as Error).message}`) })
    app.register(async (scope) => {
      scope.setErrorHandler((error) => { throw error })
      scope.get('/', async () => { throw new Error('no') })
    })
  })

  assert.equal((await request(url)).body, 'outer: no')
})

const peers: { trustProxy: boolean | string, chain: string | null, length: number | undefined }[] = [
  { trustProxy: false, chain: '10.0.0.1', length: undefined },
  { trustProxy: '10.9.9.9', chain: '10.0.0.1', length: 1 },
  { trustProxy: '127.0.0.1', chain: '10.0.0.1', length: 2 },
  { trustProxy: true, chain: '10.0.0.1, 10.0.0.2', length: 3 },
  { trustProxy: true, chain: null, length: 1 }
]

for (const { trustProxy, chain, length } of peers) {
  test(`request.ips has ${length ?? 'nobody'} in it with trustProxy ${String(trustProxy)} and ${chain === null ? 'no X-Forwarded-For' : chain}`, async (t) => {
    let ips: string[] | undefined
    const { url } = await listening(t, (app) => { app.get('/', async (request) => { ips = request.ips }) }, { trustProxy })

    await request(url, { headers: chain === null ? {} : { 'x-forwarded-for': chain } })

    assert.equal(ips?.length, length)
    // The peer comes first.
    if (ips !== undefined) assert.match(ips[0]!, /127\.0\.0\.1$/)
  })
}

test('on closing, preClose runs before the server is closed, onClose after its last exchange', async (t) => {
  const events: string[] = []
  let finish = (): void => {}
  const { app, url } = await listening(t, (app) => {
    app.addHook('preClose', async () => { events.push(`preClose, listening: ${app.server.listening}`) })
    app.addHook('onClose', async () => { events.push(`onClose, listening: ${app.server.listening}`) })
    app.addHook('onResponse', async () => { events.push('answered') })
    app.get('/', (_request, reply) => { finish = () => { reply.send('late') } })
  })

  const pending = request(url)
  await once(app.server, 'request')
  const closing = app.close()
  await new Promise((resolve) => setImmediate(resolve))
  finish()
  await Promise.all([pending, closing])

  assert.deepEqual(events, ['preClose, listening: true', 'answered', 'onClose, listening: false'])
})

test('asks a route for the logger of a request before there is a request, with bindings that it may add to', async (t) => {
  const lines: string[] = []
  const { url } = await listening(t, (app) => {
    app.route({
      method: 'GET',
      url: '/',
      childLoggerFactory (logger, bindings, options, raw) {
        bindings['trace_id'] = raw.headers['x-trace']
        return logger.child(bindings, options)
      },
      handler: async (request) => { request.log.info('mine') }
    })
    app.get('/other', async (request) => { request.log.info('other') })
  }, { logger: { stream: { write: (line: string) => { lines.push(line) } } } })

  await request(url, { headers: { 'x-trace': 'abc' } })
  await request(`${url}/other`, { headers: { 'x-trace': 'abc' } })

  const traces = (message: string) => lines.map((line) => JSON.parse(line)).filter(({ msg }) => msg === message).map((line) => [line['trace_id'], typeof line['reqId']])
  assert.deepEqual(traces('mine'), [['abc', 'string']])
  assert.deepEqual(traces('other'), [[undefined, 'string']])
})

test('the logger of an app without one inherits one empty function for every level, and is its own child', () => {
  for (const { log } of [Fastify(), Fastify({ logger: false }), Fastify({ logger: null as unknown as false })]) {
    const { info } = log
    assert.deepEqual([Object.keys(log), 'level' in log], [['child'], false])
    assert.ok([log.fatal, log.error, log.warn, log.debug, log.trace].every((level) => level === info))
    assert.match(String(info), /^function noop \(\) \{\s*\}$/)
    assert.equal(log.child({}), log)
  }
  // Children of pino's inherit empty functions too while they are silent, and a level may be set.
  const { log } = Fastify({ logger: { level: 'silent' } })
  for (const silent of [log, log.child({}), Fastify({ loggerInstance: log }).log]) assert.ok('level' in silent)
})

test('an app takes a logger that is its own child as it is', () => {
  const levels = Object.fromEntries(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'].map((level) => [level, () => {}]))
  const log = { level: 'info', ...levels, child: () => log } as unknown as FastifyBaseLogger

  assert.equal(Fastify({ loggerInstance: log }).log, log)
})

test('the logger of a request can be replaced, for its reply too', async (t) => {
  const lines: string[] = []
  const { url } = await listening(t, (app) => {
    app.get('/', {
      onRequest: async (request, reply) => { request.log = reply.log = request.log.child({ added: 1 }) }
    }, async (request, reply) => {
      request.log.info('by request')
      reply.log.info('by reply')
    })
  }, { logger: { stream: { write: (line: string) => { lines.push(line) } } } })

  await request(url)

  assert.deepEqual(lines.map((line) => JSON.parse(line)).filter(({ msg }) => msg.startsWith('by')).map(({ added }) => added), [1, 1])
})

test('hasRoute finds the OPTIONS * of @fastify/cors as /*, and as nothing else', async () => {
  const app = Fastify()
  await app.register(cors)

  assert.equal(app.hasRoute({ method: 'OPTIONS', url: '/*' }), true)
  assert.equal(app.hasRoute({ method: 'OPTIONS', url: '/api/*' }), false)
  assert.equal(app.hasRoute({ method: 'GET', url: '/*' }), false)
})

test('hasRoute tells routes apart by their constraints', async () => {
  const app = Fastify()
  app.get('/', { constraints: { host: 'a.test' } }, async () => 'a')

  assert.equal(app.hasRoute({ method: 'GET', url: '/', constraints: { host: 'a.test' } }), true)
  assert.equal(app.hasRoute({ method: 'GET', url: '/', constraints: { host: 'b.test' } }), false)
  assert.equal(app.hasRoute({ method: 'GET', url: '/', constraints: {} }), false)
})

test('a route that cannot be is refused at once, by what route() throws', () => {
  const app = Fastify()
  app.get('/x', async () => 'x')

  assert.throws(() => app.get('/x', async () => 'again'), { code: 'FST_ERR_DUPLICATED_ROUTE' })
  assert.throws(() => app.route({ method: 'NONSENSE', url: '/y', handler: async () => 'y' }), /NONSENSE method is not supported/)
})

for (const [what, init] of Object.entries({
  'a body of any type': { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"a":' },
  'a body without a type': { method: 'PUT', body: 'text' },
  'a chunked body': { method: 'PATCH', headers: { 'content-type': 'text/plain' }, body: Readable.from(['te', 'xt']) }
})) {
  test(`a parser for '*' gives ${what} to the request as the raw stream, unread`, async (t) => {
    const { url } = await listening(t, (app) => {
      app.removeAllContentTypeParsers()
      app.addContentTypeParser('*', (_request, payload, done) => { done(null, payload) })
      app.all('/', async (request) => ({ isRaw: request.body === request.raw, flows: request.raw.readableFlowing }))
    })

    const { body } = await request(url, init)

    assert.deepEqual(JSON.parse(body), { isRaw: true, flows: null })
  })
}

test('the body of a GET is left alone, and request.body undefined', async (t) => {
  const { url } = await listening(t, (app) => {
    app.get('/', async (request: FastifyRequest) => {
      const chunks: Buffer[] = []
      for await (const chunk of request.raw) chunks.push(chunk as Buffer)
      return { body: typeof request.body, read: Buffer.concat(chunks).toString() }
    })
  })

  const { body } = await request(url, { headers: { 'content-type': 'text/plain', 'content-length': '4' }, body: 'text' })

  assert.deepEqual(JSON.parse(body), { body: 'undefined', read: 'text' })
})

test('a response that waits for others of its connection has no socket yet, its request has', async (t) => {
  const sockets: boolean[][] = []
  const bell = new Bell()
  let finish = (): void => {}
  const { port } = await listening(t, (app) => {
    app.get('/:n', (request, reply) => {
      sockets.push([reply.raw.socket !== null, request.raw.socket !== null])
      if (sockets.length === 1) finish = () => { reply.send('first') }
      else reply.send('second')
      bell.ring()
    })
  })
  const client = await connect(t, port)

  client.write('GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n')
  await bell.until('both requests', () => sockets.length === 2)
  finish()
  await client.until('second')

  assert.deepEqual(sockets, [[true, true], [false, true]])
})

test('the hooks of a scope are kept under a symbol of this name, those of the scopes around it among them', async (t) => {
  const app = Fastify()
  t.after(() => app.close())
  const counts: number[][] = []
  async function count (scope: object): Promise<void> {
    const symbol = Object.getOwnPropertySymbols(scope).find(({ description }) => description === 'fastify.hooks')
    const { onRequest, onSend } = (scope as Record<symbol, { onRequest: unknown[], onSend: unknown[] }>)[symbol!]!
    counts.push([onRequest.length, onSend.length])
  }

  await app.register(count)
  app.addHook('onRequest', async () => {})
  app.addHook('onSend', async () => {})
  app.addHook('onSend', async () => {})
  await app.register(count)

  assert.deepEqual(counts, [[0, 0], [1, 2]])
})

test('a reply whose response was ended without it is sent, runs its onResponse hooks, once, and its onSend hooks never', async (t) => {
  const app = Fastify()
  t.after(() => app.close())
  const ran: string[] = []
  app.addHook('onSend', async () => { ran.push('onSend') })
  app.addHook('onResponse', async (_request, reply) => { ran.push(`onResponse ${reply.statusCode} ${reply.sent} ${String(reply.getHeader('x-a'))}`) })
  app.get('/', (_request, reply) => {
    reply.headers({ 'X-A': '1' })
    reply.raw.writeHead(203, { 'content-length': '2' })
    reply.raw.end('ok')
    ran.push(`sent ${reply.sent}`)
  })
  const address = await app.listen({ port: 0, host: '127.0.0.1' })
  const response = await fetch(address)
  assert.deepEqual([response.status, await response.text()], [203, 'ok'])
  await app.close()
  assert.deepEqual(ran, ['sent true', 'onResponse 203 true 1'])
})

test('headers that are put where a reply keeps them are the reply\'s', async (t) => {
  const app = Fastify()
  t.after(() => app.close())
  const seen: unknown[] = []
  app.addHook('onResponse', async (_request, reply) => { seen.push(reply.getHeaders()['x-a'], reply.hasHeader('x-b')) })
  app.get('/', (_request, reply) => {
    const place = Object.getOwnPropertySymbols(reply).find(({ description }) => description === 'fastify.reply.headers')!
    Object.assign(reply, { [place]: { 'x-a': '1', 'x-b': '2' } })
    seen.push(reply.getHeader('X-A'))
    reply.removeHeader('X-B').header('X-C', '3').send('ok')
  })
  const response = await app.inject('/')
  assert.deepEqual([response.headers['x-a'], response.headers['x-b'], response.headers['x-c']], ['1', undefined, '3'])
  assert.deepEqual(seen, ['1', '1', false])
})

test('a request keeps its route\'s hooks, bound, and a reply its headers and trailers, under symbols of these names', async (t) => {
  const app = Fastify()
  t.after(() => app.close())
  const kept = (object: object, name: string): unknown => (object as Record<symbol, unknown>)[Object.getOwnPropertySymbols(object).find(({ description }) => description === name)!]
  let found: unknown[] = []
  async function see (): Promise<void> {}
  app.get('/bare', (request, reply) => {
    found = [(kept(request, 'fastify.context') as { onSend: unknown }).onSend, { ...kept(reply, 'fastify.reply.headers') as object }, kept(reply, 'fastify.reply.trailers')]
    reply.send('')
  })
  app.get('/full', { onSend: see }, (request, reply) => {
    reply.header('X-A', '1').trailer('x-sum', (_reply, _payload, done) => { done(null, '1') })
    const { onSend } = kept(request, 'fastify.context') as { onSend: { name: string }[] }
    found = [onSend.map(({ name }) => name), { ...kept(reply, 'fastify.reply.headers') as object }, Object.keys(kept(reply, 'fastify.reply.trailers') as object)]
    reply.send('')
  })

  await app.inject('/bare')
  assert.deepEqual(found, [null, {}, null])
  await app.inject('/full')
  assert.deepEqual(found, [['bound see'], { 'x-a': '1' }, ['x-sum']])
})

test('servers for the other addresses of localhost are kept under a symbol of this name, and are there by onListen', async (t) => {
  const app = Fastify()
  t.after(() => app.close())
  const place = Object.getOwnPropertySymbols(app).find(({ description }) => description === 'fastify.serverBindings')!
  const servers = (app as unknown as Record<symbol, { listening: boolean }[]>)[place]!
  let atListen: boolean[] = []
  app.addHook('onListen', async () => { atListen = servers.map(({ listening }) => listening) })

  await listenTwice(t, app)

  assert.deepEqual(atListen, [true])
})
