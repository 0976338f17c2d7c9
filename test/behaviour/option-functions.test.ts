import assert from 'node:assert/strict'
import { Transform } from 'node:stream'
import test, { type TestContext } from 'node:test'
import type { Endpoint, ProxyOptions, RequestHead, ResponseHead, RouteBehaviour, UpstreamOptions } from '../../types/index.ts'
import { raw } from '../helpers/client.ts'
import { answer, origin, type Origin } from '../helpers/origin.ts'
import { isAccessLine, start, type LogLine, type Started } from '../helpers/proxy.ts'
import { handshake } from '../helpers/websocket.ts'

/*
 * Functions of the options that are `async` by mistake, or return something else than the option asks for. JavaScript has no types to refuse them.
 */

const rejects = (async () => { throw new Error('rejected') }) as () => never
const returns = (value: unknown): () => never => (() => value) as () => never
const resolves = (value: unknown): () => never => (async () => value) as () => never

interface Wrong {
  route?: RouteBehaviour
  upstream?: Partial<UpstreamOptions>
  /** Text of the one line that tells. */
  names: string
  /** Whether the function is asked only once the upstream has answered. */
  isBehindUpstream?: boolean
}

const functions: Record<string, (fn: () => never) => Wrong> = {
  credentials: (fn) => ({ route: { credentials: fn }, names: '`credentials`' }),
  'credentials.of': (fn) => ({ route: { credentials: { names: ['x-user-id'], of: fn } }, names: '`credentials.of`' }),
  'headers.request.set': (fn) => ({ route: { headers: { request: { set: { 'X-User-Id': fn } } } }, names: "`headers.request.set['X-User-Id']`" }),
  'headers.request.append': (fn) => ({ route: { headers: { request: { append: { 'x-a': fn } } } }, names: "`headers.request.append['x-a']`" }),
  'headers.response.set': (fn) => ({ route: { headers: { response: { set: { 'x-a': fn } } } }, names: "`headers.response.set['x-a']`", isBehindUpstream: true }),
  'headers.response.set, always': (fn) => ({ route: { headers: { response: { set: { 'x-a': fn }, when: 'always' } } }, names: "`headers.response.set['x-a']`", isBehindUpstream: true }),
  rewrite: (fn) => ({ route: { rewrite: fn }, names: '`rewrite`' }),
  trust: (fn) => ({ route: { trust: fn }, names: '`trust`' }),
  'balancer.pick': (fn) => ({ upstream: { balancer: { pick: fn } }, names: '`balancer.pick`' }),
  'body.rewrite.stream': (fn) => ({ route: { body: { rewrite: { stream: fn } } }, names: '`body.rewrite.stream`', isBehindUpstream: true }),
  'a replacement of body.rewrite': (fn) => ({ route: { body: { rewrite: [['ok', fn]] } }, names: "`body.rewrite, the replacement of 'ok'`", isBehindUpstream: true })
}

const results: readonly (readonly [what: string, fn: () => never])[] = [
  ['a promise that rejects', rejects],
  ['a promise of the right thing', resolves({ 'x-user-id': 'ada' })],
  ['null', returns(null)],
  ['a number', returns(7)],
  ['a list', returns(['ada'])]
]

/** Counts what would end the process. */
function watchRejections (t: TestContext): () => number {
  let count = 0
  const listener = (): void => { count++ }
  process.on('unhandledRejection', listener)
  t.after(() => { process.off('unhandledRejection', listener) })
  return () => count
}

async function begin (t: TestContext, { route = {}, upstream = {} }: Wrong): Promise<{ app: Started, seen: Origin }> {
  const seen = await origin(t, answer(200, 'ok', { 'content-type': 'text/plain' }))
  const second = await origin(t, answer(200, 'ok'))
  const options: ProxyOptions = {
    upstreams: { orders: { endpoints: [seen.url, ...upstream.balancer === undefined ? [] : [second.url]], ...upstream } },
    routes: [{ url: '/*', upstream: 'orders', ...route }]
  }
  return { app: await start(t, options), seen }
}

function linesThatName (logs: readonly LogLine[], option: string): LogLine[] {
  return logs.filter((line) => JSON.stringify(line).includes(JSON.stringify(option).slice(1, -1)))
}

for (const [name, wrong] of Object.entries(functions)) {
  for (const [what, fn] of results) {
    test(`${what} from ${name} is 500, one log line names the option, and nothing is sent that it did not give`, async (t) => {
      const rejections = watchRejections(t)
      const { names, isBehindUpstream = false, ...rest } = wrong(fn)
      const { app, seen } = await begin(t, { ...rest, names })

      const response = await app.get('/x', { 'x-user-id': 'root' })
      await app.line()
      await new Promise((resolve) => setImmediate(resolve))

      assert.equal(response.status, 500)
      assert.equal(JSON.parse(response.body).code, 'FST_SLUICE_INTERNAL_ERROR')
      assert.ok(!response.body.includes(names))
      assert.equal(seen.requests.length, isBehindUpstream ? 1 : 0)
      assert.equal(linesThatName(app.logs, names).length, 1, JSON.stringify(app.logs))
      assert.equal(rejections(), 0)
    })
  }
}

/** What the app's own database says of itself, and undici of arguments. */
const codes = ['ECONNREFUSED', 'ETIMEDOUT', 'UND_ERR_INVALID_ARG']

for (const [name, wrong] of Object.entries(functions)) {
  for (const thrown of [...codes.map((code) => Object.assign(new Error('not there'), { code })), null, 'a text']) {
    test(`${String((thrown as { code?: string } | null)?.code ?? thrown)} that ${name} throws is 500 as anything else, and one log line names the option`, async (t) => {
      const { names, ...rest } = wrong(() => { throw thrown })
      const { app } = await begin(t, { ...rest, names })

      const response = await app.get('/x')
      const line = await app.line()

      assert.deepEqual([response.status, JSON.parse(response.body).code], [500, 'FST_SLUICE_INTERNAL_ERROR'])
      assert.equal(line['err'].option, names.slice(1, -1))
      assert.equal(linesThatName(app.logs, names.slice(1, -1)).length, 1, JSON.stringify(app.logs))
    })
  }
}

test('a promise of a rewritten body that is rejected with a code is 500, and names its option', async (t) => {
  const fails = async (): Promise<never> => { throw Object.assign(new Error('not there'), { code: 'ECONNREFUSED' }) }
  for (const [option, body] of Object.entries({ 'body.rewrite': { rewrite: fails }, 'body.rewriteJson': { rewriteJson: fails } })) {
    const upstream = await origin(t, answer(200, '{}', { 'content-type': 'application/json' }))
    const app = await start(t, { routes: [{ url: '/*', upstream: upstream.url, body }] })
    assert.equal((await app.get('/x')).status, 500)
    assert.equal((await app.line())['err'].option, option)
  }
})

test('a stream of body.rewrite that fails with a code is the app’s fault, not the upstream’s', async (t) => {
  const { app } = await begin(t, {
    names: '',
    route: { body: { rewrite: { stream: () => new Transform({ transform: (_chunk, _encoding, done) => { done(Object.assign(new Error('not there'), { code: 'ECONNREFUSED' })) } }) } } }
  })
  await app.get('/x').catch(() => {})
  const line = await app.line()
  assert.deepEqual([line['error'], line['err'].option], ['internal_error', 'body.rewrite.stream'])
})

test('several promises in one object are all handled', async (t) => {
  const rejections = watchRejections(t)
  const both = (): Record<string, never> => ({ 'x-user-id': rejects(), 'x-role': rejects() })
  const shape = ((head: RequestHead | ResponseHead) => { Object.assign(head.headers, both(), { 'x-list': [rejects(), rejects()] }) }) as unknown as NonNullable<RouteBehaviour['onProxyRequest']>
  const aim = ((head: RequestHead) => { Object.assign(head, { path: rejects(), method: rejects() }) }) as unknown as NonNullable<RouteBehaviour['onProxyRequest']>
  const routes: RouteBehaviour[] = [
    { credentials: both }, { credentials: { names: ['x-user-id', 'x-role'], of: both } }, { onProxyRequest: shape }, { onProxyRequest: aim },
    { onProxyResponse: shape as unknown as NonNullable<RouteBehaviour['onProxyResponse']> }
  ]
  for (const route of routes) {
    const { app } = await begin(t, { names: '', route })
    assert.equal((await app.get('/x')).status, 500)
  }
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(rejections(), 0)
})

test('credentials in a Map, a Headers or a list are refused, since their names would not be seen', async (t) => {
  for (const given of [new Map([['x-user-id', 'ada']]), new Headers({ 'x-user-id': 'ada' }), [['x-user-id', 'ada']]]) {
    const { app, seen } = await begin(t, { names: '', route: { credentials: returns(given) } })
    assert.equal((await app.get('/x', { 'x-user-id': 'root' })).status, 500)
    assert.equal(seen.requests.length, 0)
  }
})

for (const [what, options] of Object.entries<() => object>({
  'a header': () => ({ headers: { 'x-a': rejects(), 'x-b': rejects() } }),
  'all headers': () => ({ headers: rejects() }),
  'a function in the place of a header': () => ({ headers: { 'x-a': () => 'x' } }),
  'the path': () => ({ path: rejects() }),
  'the method': () => ({ method: rejects() }),
  'the body': () => ({ body: rejects() })
})) {
  test(`reply.proxy takes no promise for ${what}: 500, one log line, and nothing is sent`, async (t) => {
    const rejections = watchRejections(t)
    const seen = await origin(t, answer(200))
    const app = await start(t, { upstreams: { orders: seen.url }, routes: [] }, {
      after: (app) => { app.get('/x', (_request, reply) => reply.proxy('orders', options())) }
    })

    const response = await app.get('/x', { 'x-a': 'client' })
    await new Promise((resolve) => setImmediate(resolve))

    assert.deepEqual([response.status, JSON.parse(response.body).code], [500, 'FST_SLUICE_INTERNAL_ERROR'])
    assert.equal(app.logs.filter(({ err }) => /of reply\.proxy must be/.test(JSON.stringify(err))).length, 1)
    assert.deepEqual([seen.requests.length, rejections()], [0, 0])
  })
}

for (const [what, fn] of [['a promise that rejects', rejects], ['a promise', resolves(undefined)]] as const) {
  for (const name of ['onProxyRequest', 'onProxyResponse'] as const) {
    test(`${what} from ${name} is 500, and one log line names it`, async (t) => {
      const rejections = watchRejections(t)
      const { app } = await begin(t, { route: { [name]: fn }, names: name })

      const response = await app.get('/x')
      await app.line()
      await new Promise((resolve) => setImmediate(resolve))

      assert.equal(response.status, 500)
      assert.equal(linesThatName(app.logs, `\`${name}\` must return nothing, not a promise`).length, 1)
      assert.equal(rejections(), 0)
    })
  }
}

test('a status that none is, left by onProxyResponse, is 500, and one log line names it', async (t) => {
  for (const status of [7, 101, 1000, 200.5, '200', null, undefined]) {
    const { app } = await begin(t, { names: '', route: { onProxyResponse: (head) => { Object.assign(head, { statusCode: status }) } } })
    const { status: given, body } = await app.get('/x')
    await app.line()
    assert.deepEqual([given, JSON.parse(body).code], [500, 'FST_SLUICE_INTERNAL_ERROR'], String(status))
    assert.equal(linesThatName(app.logs, '`head.statusCode`, as `onProxyResponse` has left it,').length, 1)
  }
})

test('the value of an arrow function is of no importance to onProxyRequest and onProxyResponse', async (t) => {
  const { app, seen } = await begin(t, {
    names: '',
    route: {
      onProxyRequest: ((head: RequestHead) => (head.headers['x-a'] = 'b')) as unknown as () => undefined,
      onProxyResponse: ((head: ResponseHead) => (head.headers['x-c'] = 'd')) as unknown as () => undefined
    }
  })

  const response = await app.get('/x')

  assert.deepEqual([response.status, response.headers['x-c'], seen.requests[0]!.headers['x-a']], [200, 'd', 'b'])
})

for (const [what, fn] of [...results, ['a promise of false', resolves(false)], ['nothing', returns(undefined)]] as const) {
  test(`${what} from websocket.allowedOrigins lets nobody connect, and one log line names the option`, async (t) => {
    const rejections = watchRejections(t)
    const { app, seen } = await begin(t, { route: { websocket: { allowedOrigins: fn } }, names: '' })

    const response = await raw(t, app.port, handshake('/x', ['Origin: https://evil.example']))
    await app.line()

    assert.equal(response.status, 500)
    assert.equal(seen.requests.length, 0)
    assert.equal(linesThatName(app.logs, '`websocket.allowedOrigins`').length, 1)
    assert.equal(rejections(), 0)
  })
}

test('what a balancer returns of being told is a warning at most', async (t) => {
  const rejections = watchRejections(t)
  const warned = new Promise<Error>((resolve) => { process.once('warning', resolve) })
  const { app } = await begin(t, {
    names: '',
    upstream: { balancer: { pick: (available: readonly Endpoint[]) => available[0]!, onAttempt: rejects } as unknown as NonNullable<UpstreamOptions['balancer']> }
  })

  assert.equal((await app.get('/x')).status, 200)

  assert.match((await warned).message, /`balancer.onAttempt` must return nothing, not a promise/)
  assert.equal(rejections(), 0)
})

test('an endpoint whose `health.status` returns a promise does not pass, and the line of its change names the option', async (t) => {
  const rejections = watchRejections(t)
  const { app } = await begin(t, { names: '', upstream: { health: { interval: 500, fall: 1, status: rejects } } })

  const line = await app.line('endpoint unhealthy')

  assert.equal(line['reason'], '`health.status` must return true or false, not a promise')
  assert.equal(rejections(), 0)
})

test('an endpoint whose `health.status` throws does not pass, whatever is thrown', async (t) => {
  for (const thrown of [new Error('x'), null]) {
    const { app } = await begin(t, { names: '', upstream: { health: { interval: 500, fall: 1, status: () => { throw thrown } } } })
    assert.equal((await app.line('endpoint unhealthy'))['reason'], '`health.status` has thrown')
  }
})

test('a body may be rewritten by anything that can be waited for', async (t) => {
  const lazy = { then: (resolve: (value: string) => void) => { resolve('later') } }
  const { app } = await begin(t, { names: '', route: { body: { rewrite: () => lazy as Promise<string> } } })
  assert.equal((await app.get('/x')).body, 'later')
})

test('a promise within the value of rewriteJson is 500, the log names the option, and no rejection is left alone', async (t) => {
  const rejections = watchRejections(t)
  const upstream = await origin(t, answer(200, '{}', { 'content-type': 'application/json' }))
  const rewriteJson = (): unknown => ({ user: rejects(), list: [{ deep: rejects() }] })
  const app = await start(t, { routes: [{ url: '/*', upstream: upstream.url, body: { rewriteJson } }] })

  const response = await app.get('/x')
  await app.line()
  await new Promise((resolve) => setImmediate(resolve))

  assert.equal(response.status, 500)
  assert.equal(linesThatName(app.logs, '`body.rewriteJson` must return a value without promises in it').length, 1)
  assert.equal(rejections(), 0)
})

test('a body that is rewritten to something else is 500, and the log names the option', async (t) => {
  for (const value of [null, 7, {}, undefined, Promise.resolve(7)]) {
    const { app } = await begin(t, { names: '', route: { body: { rewrite: returns(value) } } })
    assert.equal((await app.get('/x')).status, 500)
    assert.equal(linesThatName(app.logs, '`body.rewrite` must return a string or bytes').length, await app.line().then(() => 1))
  }
})

test('a credential that is not among the declared names is refused', async (t) => {
  const { app, seen } = await begin(t, { names: '', route: { credentials: { names: ['x-user-id'], of: () => ({ 'x-user-id': 'ada', 'x-role': 'admin' }) } } })

  assert.equal((await app.get('/x', { 'x-role': 'admin' })).status, 500)
  await app.line()

  assert.equal(seen.requests.length, 0)
  assert.equal(linesThatName(app.logs, "`credentials.of` gives 'x-role', which is not in `credentials.names`").length, 1)
})

test('declared names are dropped from the first request on', async (t) => {
  const { app, seen } = await begin(t, { names: '', route: { credentials: { names: ['X-User-Id', 'x-role'], of: () => ({}) } } })

  await app.get('/x', { 'x-user-id': 'root', x_user_id: 'root', 'x-role': 'admin', 'x-other': 'kept' })

  const { headers } = seen.requests[0]!
  assert.deepEqual([headers['x-user-id'], headers['x_user_id'], headers['x-role'], headers['x-other']], [undefined, undefined, undefined, 'kept'])
})

test('a stream that is made anew for each body is taken', async (t) => {
  const { app } = await begin(t, {
    names: '',
    route: { body: { rewrite: { stream: () => new Transform({ transform: (chunk, _encoding, done) => { done(null, String(chunk).toUpperCase()) } }) } } }
  })
  assert.equal((await app.get('/x')).body, 'OK')
  assert.equal(app.logs.filter(isAccessLine).length <= 1, true)
})
