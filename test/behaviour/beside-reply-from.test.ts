import assert from 'node:assert/strict'
import test from 'node:test'
import replyFrom from '@fastify/reply-from'
import type { FastifyInstance, FastifyReply } from 'fastify'
import proxy from '../../lib/index.ts'
import { answer, echo, hang, origin, type Echo } from '../helpers/origin.ts'
import { isAccessLine, start } from '../helpers/proxy.ts'

/** The app's own use of reply-from, as @fastify/http-proxy makes of it too: its own scope, its own base, its own parser. */
async function registerTheirs (app: FastifyInstance, base: string, path: string): Promise<void> {
  await app.register(replyFrom, { base, disableRequestLogging: true, destroyAgent: true })
  app.all(path, (_request, reply) => reply.from('/theirs'))
}

const orders: Record<string, (app: FastifyInstance, ours: string, theirs: string) => Promise<void>> = {
  'registered before ours': async (app, ours, theirs) => {
    await registerTheirs(app, theirs, '/theirs')
    await app.register(proxy, { prefix: '/ours', upstream: ours })
  },
  'registered after ours': async (app, ours, theirs) => {
    await app.register(proxy, { prefix: '/ours', upstream: ours })
    await registerTheirs(app, theirs, '/theirs')
  },
  'in a scope beside ours': async (app, ours, theirs) => {
    await app.register(async (scope) => { await scope.register(proxy, { prefix: '/ours', upstream: ours }) })
    await app.register(async (scope) => { await registerTheirs(scope, theirs, '/theirs') })
  },
  'in the scope that ours is registered in': async (app, ours, theirs) => {
    await app.register(async (scope) => {
      await registerTheirs(scope, theirs, '/theirs')
      await scope.register(proxy, { prefix: '/ours', upstream: ours })
    })
  }
}

for (const [order, register] of Object.entries(orders)) {
  test(`the app's own reply-from, ${order}, and the proxy each ask their own upstream`, async (t) => {
    const [ours, theirs] = await Promise.all([origin(t, echo()), origin(t, echo())])
    const app = await start(t, { routes: [] }, { after: (app) => register(app, ours.url, theirs.url) })

    const body = JSON.stringify({ a: 1 })
    const init = { method: 'POST', headers: { 'content-type': 'application/json', connection: 'x-hop', 'x-hop': '1' }, body }
    const [fromOurs, fromTheirs] = [await app.request('/ours/x', init), await app.request('/theirs', init)]

    const [seenByOurs, seenByTheirs] = [JSON.parse(fromOurs.body) as Echo, JSON.parse(fromTheirs.body) as Echo]
    assert.deepEqual([ours.hits, theirs.hits], [1, 1])
    assert.deepEqual([seenByOurs.url, seenByOurs.body, seenByOurs.headers['via'] !== undefined], ['/x', body, true])
    assert.deepEqual([seenByTheirs.url, seenByTheirs.body, seenByTheirs.headers['via']], ['/theirs', body, undefined])
  })
}

test('a route of the app may use its own reply.from under options of its own, and the proxy notices nothing', async (t) => {
  const upstream = await origin(t, echo())
  const app = await start(t, { upstreams: { main: upstream.url }, routes: [{ url: '/ours/*', upstream: 'main' }] }, {
    before: (app) => { app.register(replyFrom, { base: upstream.url, disableRequestLogging: true }) },
    after: (app) => {
      app.get('/theirs', (_request, reply) => reply.from('/x', {
        rewriteRequestHeaders: (_request, headers) => ({ ...headers, 'x-theirs': '1' }),
        rewriteHeaders: (headers) => ({ ...headers, 'x-answered': 'theirs' })
      }))
    }
  })

  const theirs = await app.get('/theirs')
  const ours = await app.get('/ours/x')

  assert.equal((JSON.parse(theirs.body) as Echo).headers['x-theirs'], '1')
  assert.equal(theirs.headers['x-answered'], 'theirs')
  assert.equal((JSON.parse(ours.body) as Echo).headers['x-theirs'], undefined)
  assert.equal(ours.headers['x-answered'], undefined)
  assert.equal((await app.line())['route'], '/ours/*')
  assert.equal(app.logs.filter(isAccessLine).length, 1)
})

test('the proxy decorates nothing that reply-from would: an app may have a reply.from that is something else', async (t) => {
  const upstream = await origin(t, answer(200, 'proxied'))
  const app = await start(t, { upstream: upstream.url, prefix: '/ours' }, {
    before: (app) => { app.decorateReply('from', function (this: FastifyReply, source?: string) { return this.send(`from ${source}`) as never }) },
    after: (app) => { app.get('/theirs', (_request, reply) => reply.from('the app')) }
  })

  assert.equal((await app.get('/theirs')).body, 'from the app')
  assert.equal((await app.get('/ours/x')).body, 'proxied')
})

test('closing the app closes the connections of both', async (t) => {
  const [ours, theirs] = await Promise.all([origin(t, answer(200, 'ok')), origin(t, answer(200, 'ok'), hang())])
  const app = await start(t, { upstream: ours.url, prefix: '/ours' }, { before: (app) => registerTheirs(app, theirs.url, '/theirs') })

  await Promise.all([app.get('/ours/x'), app.get('/theirs')])
  assert.deepEqual([ours.openSockets, theirs.openSockets], [1, 1])
  await app.app.close()

  await Promise.all([ours.idle(), theirs.idle()])
})
