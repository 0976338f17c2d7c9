import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import type { FastifyInstance, onRequestHookHandler } from 'fastify'
import proxy from '../../lib/index.ts'
import { connect } from '../helpers/client.ts'
import { echo, origin, type Echo, type Origin } from '../helpers/origin.ts'
import { start, type Started } from '../helpers/proxy.ts'
import { schemes, upload, type Scheme } from './auth-schemes.ts'

type Place = (app: FastifyInstance, hook: onRequestHookHandler, upstream: string) => void | Promise<void>

/** Where an app may put its auth: each serves `/guarded/*`. */
const places: Record<string, Place> = {
  'onRequest of the route': (app, hook, upstream) => { app.proxy.route({ url: '/guarded/*', upstream, onRequest: hook }) },
  'preHandler of the route': (app, hook, upstream) => { app.proxy.route({ url: '/guarded/*', upstream, preHandler: hook }) },
  'a list of preHandlers': (app, hook, upstream) => { app.proxy.route({ url: '/guarded/*', upstream, preHandler: [async () => {}, hook] }) },
  'onRequest of the one-line form': async (app, hook, upstream) => { await app.register(proxy, { prefix: '/guarded', upstream, onRequest: hook }) },
  'preHandler of the one-line form': async (app, hook, upstream) => { await app.register(proxy, { prefix: '/guarded', upstream, preHandler: [hook] }) },
  'onRequest of the scope': async (app, hook, upstream) => {
    await app.register(async (scope) => {
      scope.addHook('onRequest', hook)
      await scope.register(proxy, { routes: [{ url: '/guarded/*', upstream }] })
    })
  },
  'preHandler of the scope': async (app, hook, upstream) => {
    await app.register(async (scope) => {
      scope.addHook('preHandler', hook)
      await scope.register(proxy, { prefix: '/guarded', upstream })
    })
  },
  'onRequest of a route of the app\'s own': (app, hook, upstream) => { app.post('/guarded/x', { onRequest: hook }, (_request, reply) => reply.proxy(upstream)) }
}

async function startGuarded (t: TestContext, scheme: Scheme, place: Place, upstream: Origin): Promise<Started> {
  let hook: onRequestHookHandler
  return start(t, { adHoc: { origins: () => true }, routes: [] }, {
    before: async (app) => { hook = await scheme.setUp(app) },
    after: (app) => place(app, hook, upstream.url)
  })
}

for (const [name, place] of Object.entries(places)) {
  for (const scheme of schemes) {
    test(`${scheme.name} in ${name}: what is refused reaches no upstream, nor does a byte of its body`, async (t) => {
      const upstream = await origin(t, echo())
      const app = await startGuarded(t, scheme, place, upstream)

      for (const [what, headers] of Object.entries(scheme.bad)) {
        const client = await connect(t, app.port)
        upload(client, '/guarded/x', headers)
        const { status } = await client.response()
        assert.ok(status === 401 || status === 403, `${what}: ${status}`)
        client.socket.destroy()
      }
      // Also says that nothing is on its way: connections are accepted in the order they were opened.
      const allowed = await app.request('/guarded/x', { method: 'POST', headers: { 'content-type': 'text/plain', ...scheme.good }, body: 'let through' })

      assert.equal((JSON.parse(allowed.body) as Echo).body, 'let through')
      assert.deepEqual({ connections: upstream.connections, hits: upstream.hits }, { connections: 1, hits: 1 })
    })
  }
}

test('a refused upload is answered while it is still being sent, and nothing that is left of it is taken for a request', async (t) => {
  const [scheme] = schemes
  const upstream = await origin(t, echo())
  const app = await startGuarded(t, scheme!, places['onRequest of the route']!, upstream)
  const client = await connect(t, app.port)

  upload(client, '/guarded/x', {})
  const response = await client.response()
  // The rest of the upload, which looks like a request with a good token.
  const smuggled = `POST /guarded/smuggled HTTP/1.1\r\nHost: proxy.test\r\nContent-Length: 0\r\nAuthorization: ${scheme!.good['authorization']}\r\n\r\n`
  client.write(`${smuggled.length.toString(16)}\r\n${smuggled}\r\n0\r\n\r\n`)
  client.write(`POST /guarded/next HTTP/1.1\r\nHost: proxy.test\r\nContent-Length: 0\r\nAuthorization: ${scheme!.good['authorization']}\r\n\r\n`)
  const next = await client.response()

  assert.equal(response.status, 401)
  assert.equal((JSON.parse(next.body.toString()) as Echo).url, '/guarded/next')
  assert.deepEqual(upstream.requests.map(({ url }) => url), ['/guarded/next'])
})
