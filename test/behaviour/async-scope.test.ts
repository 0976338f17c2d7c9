import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { EventEmitter, once } from 'node:events'
import type { ServerResponse } from 'node:http'
import test, { type TestContext } from 'node:test'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { connect } from '../helpers/client.ts'
import { answer, origin, refusedPort } from '../helpers/origin.ts'
import { isAccessLine, start, type Extra, type LogLine, type Started } from '../helpers/proxy.ts'
import type { ProxyOptions, RouteBehaviour } from '../../types/index.ts'

interface Scope { id: string }

/**
 * An app that opens a scope of its own for each request, named by its header, and writes the name into every line; `seen` has, by
 * request, the names that its hooks and functions found.
 */
class Scoped {
  readonly storage: AsyncLocalStorage<Scope> = new AsyncLocalStorage()
  readonly seen: Map<string, Set<string>> = new Map()
  lines: LogLine[] = []
  readonly #bell = new EventEmitter()

  note (where: string, request: FastifyRequest): void {
    const id = String(request.headers['x-id'])
    const names = this.seen.get(id) ?? new Set()
    this.seen.set(id, names.add(`${this.storage.getStore()?.id} in ${where}`))
    request.log.info(where)
  }

  get extra (): Extra {
    return {
      fastify: {
        logger: { level: 'debug', mixin: () => ({ scope: this.storage.getStore()?.id ?? 'none' }), stream: { write: (text) => { this.lines.push(JSON.parse(text)); this.#bell.emit('line') } } }
      },
      before: (app: FastifyInstance) => {
        app.addHook('onRequest', (request, _reply, done) => { this.storage.run({ id: String(request.headers['x-id']) }, done) })
      }
    }
  }

  /** Once that many exchanges are over. */
  async over (count: number): Promise<void> {
    while (this.lines.filter(isAccessLine).length < count) await once(this.#bell, 'line', { signal: AbortSignal.timeout(5000) })
  }

  /** Every hook of a route, and every function of its behaviour. */
  get behaviour (): RouteBehaviour & Partial<ProxyOptions> {
    const hook = (where: string) => async (request: FastifyRequest): Promise<void> => { this.note(where, request) }
    return {
      onRequest: hook('onRequest'),
      preParsing: hook('preParsing'),
      preValidation: hook('preValidation'),
      preHandler: hook('preHandler'),
      onSend: hook('onSend'),
      onResponse: hook('onResponse'),
      onError: hook('onError'),
      rewrite: (request) => { this.note('rewrite', request); return request.url },
      credentials: (request) => { this.note('credentials', request); return {} },
      headers: {
        request: { set: { 'x-a': (request) => { this.note('request edit', request); return undefined } } },
        response: { set: { 'x-a': (request) => { this.note('response edit', request); return undefined } } }
      },
      onProxyRequest: (_head, { request }) => { this.note('onProxyRequest', request) },
      onProxyResponse: (_head, { request }) => { this.note('onProxyResponse', request) }
    }
  }

  /** Every name found is that of the request, and so is that of every line. */
  check (ids: readonly string[], places: readonly string[]): void {
    for (const id of ids) assert.deepEqual([...this.seen.get(id) ?? []].sort(), places.map((place) => `${id} in ${place}`).sort())
    const ofRequest = new Map<unknown, unknown>()
    for (const line of this.lines) {
      if (line['reqId'] === undefined) continue
      const scope = ofRequest.get(line['reqId']) ?? line['scope']
      ofRequest.set(line['reqId'], scope)
      assert.equal(line['scope'], scope, JSON.stringify(line))
    }
    assert.deepEqual([...ofRequest.values()].sort(), [...ids].sort())
  }
}

const before = ['onRequest', 'preParsing', 'preValidation', 'preHandler', 'rewrite', 'credentials', 'request edit', 'onProxyRequest']
const answered = [...before, 'response edit', 'onProxyResponse', 'onSend', 'onResponse']
const failed = [...before, 'onError', 'onSend', 'onResponse']

/** Who comes last is not to be refused for what those before met with. */
const trusting = { outlier: false, breaker: false } as const

async function scoped (t: TestContext, url: string): Promise<{ app: Started, scopes: Scoped }> {
  const scopes = new Scoped()
  const app = await start(t, { upstreams: { main: { endpoints: [url], pool: { connections: 5 }, ...trusting } }, upstream: 'main', ...scopes.behaviour }, scopes.extra)
  return { app, scopes }
}

const ids = (count: number): string[] => Array.from({ length: count }, (_, index) => `id-${index}`)

for (const [what, respond] of [
  ['whole', (res: ServerResponse) => { res.end('ok') }],
  ['streamed', (res: ServerResponse) => { res.write('x'.repeat(100_000)); setImmediate(() => { res.end('x'.repeat(200_000)) }) }],
  ['empty', (res: ServerResponse) => { res.writeHead(204).end() }]
] as const) {
  test(`50 exchanges at once over reused connections each stay in their own async scope: ${what}`, async (t) => {
    const upstream = await origin(t, (req, res) => { req.on('end', () => { respond(res) }) })
    const { app, scopes } = await scoped(t, upstream.url)

    for (const body of [undefined, 'text']) {
      await Promise.all(ids(50).map((id) => app.request('/x', { method: 'POST', headers: { 'x-id': id }, ...(body !== undefined && { body }) })))
    }
    await scopes.over(100)

    assert.ok(upstream.connections <= 5, `${upstream.connections} connections`)
    // Two requests of each id.
    scopes.check(ids(50).flatMap((id) => [id, id]), answered)
  })
}

test('exchanges of one connection each stay in their own async scope', async (t) => {
  const upstream = await origin(t, answer(200, 'ok'))
  const { app, scopes } = await scoped(t, upstream.url)
  const client = await connect(t, app.port)

  client.write(ids(20).map((id) => `GET /x HTTP/1.1\r\nHost: x\r\nX-Id: ${id}\r\n\r\n`).join(''))
  for (let index = 0; index < 20; index++) assert.equal((await client.response()).status, 200)
  for (const id of ids(20)) {
    client.write(`GET /x HTTP/1.1\r\nHost: x\r\nX-Id: ${id}\r\n\r\n`)
    await client.response()
  }
  await scopes.over(40)

  // Fastify calls onResponse in the scope of whoever finished before it on the connection, with its own line in it.
  for (const names of scopes.seen.values()) {
    for (const name of names) if (name.endsWith('in onResponse')) names.delete(name)
  }
  scopes.lines = scopes.lines.filter(({ msg }) => msg !== 'onResponse')
  scopes.check(ids(20).flatMap((id) => [id, id]), answered.filter((place) => place !== 'onResponse'))
})

test('exchanges that fail stay in their own async scope', async (t) => {
  const { app, scopes } = await scoped(t, `http://127.0.0.1:${await refusedPort()}`)

  await Promise.all(ids(20).map((id) => app.get('/x', { 'x-id': id })))
  await scopes.over(20)

  scopes.check(ids(20), failed)
})

test('exchanges that time out stay in their own async scope', async (t) => {
  const upstream = await origin(t, () => {})
  const scopes = new Scoped()
  const app = await start(t, { upstream: { endpoints: [upstream.url], ...trusting }, ...scopes.behaviour, timeouts: { head: 100 } }, scopes.extra)

  const responses = await Promise.all(ids(20).map((id) => app.get('/x', { 'x-id': id })))
  await scopes.over(20)

  assert.ok(responses.every(({ status }) => status === 504))
  scopes.check(ids(20), failed)
})

test('exchanges whose client leaves stay in their own async scope', async (t) => {
  const upstream = await origin(t, () => {})
  const { app, scopes } = await scoped(t, upstream.url)

  for (const id of ids(10)) {
    const client = await connect(t, app.port)
    client.write(`GET /x HTTP/1.1\r\nHost: x\r\nX-Id: ${id}\r\n\r\n`)
    await upstream.arrived(Number(id.slice(3)) + 1)
    client.reset()
    await scopes.over(Number(id.slice(3)) + 1)
  }

  // How far the answer to nobody gets is Fastify's to say.
  for (const id of ids(10)) for (const place of scopes.seen.get(id)!) assert.ok(place.startsWith(`${id} in `), place)
  for (const line of scopes.lines.filter((line) => line['reqId'] !== undefined)) assert.match(String(line['scope']), /^id-/, JSON.stringify(line))
})
