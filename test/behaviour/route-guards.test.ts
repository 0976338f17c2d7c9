import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import type { FastifyInstance } from 'fastify'
import type { RouteOptions } from '../../types/index.ts'
import { raw } from '../helpers/client.ts'
import { connectHttp2 } from '../helpers/http2.ts'
import { answer, origin } from '../helpers/origin.ts'
import { start, type Started } from '../helpers/proxy.ts'
import { handshake } from '../helpers/websocket.ts'

const refuse: NonNullable<RouteOptions['onRequest']> = async (_request, reply) => reply.code(401).send({ no: 1 })

interface Guarded { app: Started, ask (target: string, host?: string, method?: string): Promise<number> }

async function guarded (t: TestContext, routes: (Omit<RouteOptions, 'upstream'> & { upstream?: string })[], extra: Parameters<typeof start>[2] = {}): Promise<Guarded & { hosts: () => unknown[], urls: () => string[] }> {
  const upstream = await origin(t, answer(200))
  const other = await origin(t, answer(200))
  const app = await start(t, {
    upstreams: { shared: upstream.url, other: other.url },
    defaults: { host: 'original' },
    routes: routes.map((route) => ({ upstream: 'shared', ...route }))
  }, extra)
  return {
    app,
    ask: async (target, host = 'public.test', method = 'GET') => (await raw(t, app.port, `${method} ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`)).status,
    hosts: () => upstream.requests.map(({ headers }) => headers.host),
    urls: () => [...upstream.requests, ...other.requests].map(({ url }) => url)
  }
}

// Hosts ─────────────────────────────────────────────────────────────────────

for (const [what, constraint] of [['its name', 'admin.test'], ['a pattern', /^admin\.test(:\d+)?$/]] as const) {
  test(`a route guarded by ${what} is reached by no absolute-form target of another host's route`, async (t) => {
    const { ask, hosts } = await guarded(t, [
      { url: '/*', constraints: { host: 'public.test' } },
      { url: '/*', constraints: { host: constraint }, onRequest: refuse }
    ])

    for (const target of ['http://admin.test/secret', 'HTTP://admin.test/secret', 'https://admin.test/secret', 'http://admin.test', 'http://admin.test?a=/b', 'http://admin.test//secret']) {
      assert.equal(await ask(target), 401, target)
    }
    assert.equal(await ask('http://public.test/open', 'admin.test'), 200)
    assert.deepEqual(hosts(), ['public.test'])
  })
}

for (const form of ['ADMIN.test', 'admin.test.', 'admin.test:80', 'admin.test:443', 'admin.test:', 'Admin.Test.:80']) {
  test(`the host ${form} is not served by the route without a constraint beside that of admin.test`, async (t) => {
    const { ask, hosts } = await guarded(t, [{ url: '/*' }, { url: '/*', constraints: { host: 'admin.test' }, onRequest: refuse }])

    for (const target of ['/secret', `http://${form}/secret`]) assert.ok([401, 421].includes(await ask(target, form)), target)
    assert.equal(await ask('/open', 'PUBLIC.test:80'), 200)
    assert.equal(await ask('/open', 'other-admin.test'), 200)
    assert.deepEqual(hosts(), ['PUBLIC.test:80', 'other-admin.test'])
  })
}

test('a pattern of hosts guards them in every case, and with the port that it asks for', async (t) => {
  for (const [pattern, hosts] of [[/^admin\.test:80$/, ['ADMIN.test:80', 'admin.test.:80']], [/^Admin\.test$/, ['admin.test', 'ADMIN.TEST:80']]] as const) {
    const { ask } = await guarded(t, [{ url: '/*' }, { url: '/*', constraints: { host: pattern }, onRequest: refuse }])
    for (const host of hosts) assert.equal(await ask('/secret', host), 421, host)
    assert.equal(await ask('/open', 'public.test'), 200)
  }
})

for (const target of ['http://user:hunter2@admin.test/secret', 'http://user:hunt/er2@admin.test/secret', 'http://user:hunter2@admin.test', 'http://user@admin.test?a=b']) {
  test(`the target ${target} is 400, and no log line has its password`, async (t) => {
    const { app, ask, urls } = await guarded(t, [{ url: '/*' }], { fastify: { logController: undefined } as object })

    assert.equal(await ask(target), 400)
    await app.line()

    assert.deepEqual(urls(), [])
    assert.ok(!/hunter2|er2@/.test(JSON.stringify(app.logs)), JSON.stringify(app.logs))
  })
}

test('over HTTP/2 a Host in another case than the authority leads no request past a guarded host', async (t) => {
  const { app, hosts } = await guarded(t, [{ url: '/*' }, { url: '/*', constraints: { host: 'admin.test' }, onRequest: refuse }], { fastify: { http2: true } as object })
  const client = await connectHttp2(t, app.url)
  const ask = async (authority: string, host: string): Promise<number> => (await client.request({ ':path': '/secret', ':authority': authority, host })).status

  assert.deepEqual([await ask('admin.test', 'ADMIN.test'), await ask('ADMIN.test', 'admin.test'), await ask('public.test', 'PUBLIC.test')], [401, 421, 200])
  assert.deepEqual(hosts(), ['public.test'])
})

test('a constraint that no client writes in this way guards the name all the same', async (t) => {
  const { ask } = await guarded(t, [{ url: '/*' }, { url: '/*', constraints: { host: 'Admin.test:80' }, onRequest: refuse }])

  assert.equal(await ask('/secret', 'admin.test'), 421)
  assert.equal(await ask('/secret', 'Admin.test:80'), 401)
  assert.equal(await ask('/open', 'public.test'), 200)
})

test('a host that is misdirected is 421 http_request_error, and the log says whose it is', async (t) => {
  const { app } = await guarded(t, [{ url: '/*' }, { url: '/admin', constraints: { host: 'admin.test' } }])

  const { status, body, headers } = await raw(t, app.port, 'GET /admin HTTP/1.1\r\nHost: ADMIN.TEST\r\n\r\n')
  assert.deepEqual([status, JSON.parse(body.toString()).code, headers['proxy-status']], [421, 'FST_SLUICE_HTTP_REQUEST_ERROR', 'sluice; error=http_request_error'])
  assert.match(JSON.stringify(await app.line()), /the host is that of the route '\/admin' in another spelling/)
  assert.equal((await raw(t, app.port, 'GET /other HTTP/1.1\r\nHost: ADMIN.TEST\r\n\r\n')).status, 200, 'where that host has no route')
})

test('a route of the app guards its host too', async (t) => {
  const { ask } = await guarded(t, [{ url: '/*' }], {
    after: (app) => { app.get('/secret', { constraints: { host: 'admin.test' } }, async () => 'of the app') }
  })
  assert.deepEqual([await ask('/secret', 'ADMIN.test'), await ask('/other', 'ADMIN.test')], [421, 200])
})

test('hooks, X-Forwarded-Host and the upstream see the host of an absolute-form target', async (t) => {
  const seen: string[] = []
  const upstream = await origin(t, answer(200))
  const app = await start(t, { routes: [{ url: '/*', upstream: upstream.url, host: 'original' }] }, {
    before: (app) => { app.addHook('onRequest', async (request) => { seen.push(request.host, request.hostname, request.url) }) },
    after: (app) => { app.get('/own', async (request) => `${request.host} ${request.url}`) }
  })

  await raw(t, app.port, 'GET http://shop.test:8080/a?b HTTP/1.1\r\nHost: public.test\r\n\r\n')
  const own = await raw(t, app.port, 'GET http://shop.test/own HTTP/1.1\r\nHost: public.test\r\n\r\n')

  assert.deepEqual(seen.slice(0, 3), ['shop.test:8080', 'shop.test', '/a?b'])
  const { url, headers } = upstream.requests[0]!
  assert.deepEqual([url, headers.host, headers['x-forwarded-host']], ['/a?b', 'shop.test:8080', 'shop.test:8080'])
  assert.equal(own.body.toString(), 'shop.test /own')
})

test('a server that nobody watches refuses a target that names another host than Host', async (t) => {
  const { app, hosts } = await guarded(t, [{ url: '/*' }, { url: '/*', constraints: { host: 'admin.test' }, onRequest: refuse }])
  // As Fastify does for the second address of localhost: a server of its own, with the same routes.
  app.app.server.removeAllListeners('request')
  app.app.server.on('request', (request, response) => { app.app.routing(request, response) })

  assert.equal((await raw(t, app.port, 'GET http://admin.test/secret HTTP/1.1\r\nHost: public.test\r\n\r\n')).status, 400)
  assert.equal((await raw(t, app.port, 'GET http://PUBLIC.test/open HTTP/1.1\r\nHost: public.test\r\n\r\n')).status, 200)
  assert.equal(hosts().length, 1)
})

test('a WebSocket handshake is routed by the host of its target, too', async (t) => {
  const { app, hosts } = await guarded(t, [
    { url: '/*', websocket: true },
    { url: '/*', websocket: true, constraints: { host: 'admin.test' }, onRequest: refuse }
  ])

  const ask = async (target: string, host: string): Promise<number> => (await raw(t, app.port, handshake(target, [`Host: ${host}`]))).status
  assert.deepEqual([await ask('http://admin.test/x', 'public.test'), await ask('/x', 'ADMIN.test')], [401, 421])
  assert.deepEqual(hosts(), [])
})

test('explain tells of a misdirected host', async (t) => {
  const { app } = await guarded(t, [{ url: '/*' }, { url: '/*', constraints: { host: 'admin.test' } }])
  const { refusal } = app.app.proxy.explain({ url: '/x', headers: { host: 'ADMIN.test' } })
  assert.deepEqual([refusal!.status, refusal!.error], [421, 'http_request_error'])
  assert.equal(app.app.proxy.explain({ url: 'http://admin.test/x' }).route!.id, '/* #2')
})

// Paths ─────────────────────────────────────────────────────────────────────

const spelt = ['//admin/x', '/%2fadmin/x', '/%2Fadmin/x', '/admin%2fx', '/admin%2Fx', '/admin%5cx', '/admin%5Cx', '/%5cadmin%5cx', '/%2f%2fadmin/x', '/;/admin/x', '/admin;a=b/x', '/admin;a=b%2fx', '//admin//x', '/admin%2f%E4']

const others: Record<string, Parameters<typeof guarded>[1][number]> = {
  'a hook': { url: '/admin/*', onRequest: refuse },
  'a preHandler': { url: '/admin/*', preHandler: refuse },
  'a hook, and a parameter': { url: '/admin/:page', onRequest: refuse },
  'another upstream': { url: '/admin/*', upstream: 'other' },
  'a constraint': { url: '/admin/*', constraints: { host: 'public.test' } },
  'a canary to another upstream': { url: '/admin/*', canary: { upstream: 'other', weight: 1 } },
  credentials: { url: '/admin/*', credentials: () => ({ 'x-user': 'ann' }) }
}

for (const [what, other] of Object.entries(others)) {
  test(`a path that an upstream may read as that of a route with ${what} is refused by the open route`, async (t) => {
    const { ask, urls } = await guarded(t, [{ url: '/*' }, other])

    for (const path of spelt) assert.equal(await ask(path), 400, path)
    assert.deepEqual(urls(), [])

    for (const path of ['/open//x', '/open%2fx', '/open;a=b/x', '//open', '/administration//x', '/a//admin/x']) assert.equal(await ask(path), 200, path)
  })
}

test('a path that leads to a handler of the app once it is decoded is refused, also one that stood before the plugin', async (t) => {
  const { ask } = await guarded(t, [{ url: '/*' }], {
    before: (app) => { app.get('/early/x', async () => 'early') },
    after: (app) => { app.get('/late/:id', async () => 'late') }
  })
  assert.deepEqual([await ask('/early%2fx'), await ask('//early/x'), await ask('/late%2Fx'), await ask('/late//x'), await ask('/early//y')], [400, 400, 400, 400, 200])
})

test('hooks of a scope guard as those of a route do, and a hook that both have is none that one lacks', async (t) => {
  const auth: NonNullable<RouteOptions['onRequest']> = async () => {}
  const upstream = await origin(t, answer(200))
  const scoped = async (isEverywhere: boolean): Promise<number> => {
    const app = await start(t, { upstreams: { shared: upstream.url }, routes: [{ url: '/unused', upstream: 'shared' }] }, {
      before: (app) => { if (isEverywhere) app.addHook('onRequest', auth) },
      after: async (app) => {
        app.proxy.route({ url: '/*', upstream: 'shared' })
        await app.register(async (scope: FastifyInstance) => {
          if (!isEverywhere) scope.addHook('onRequest', auth)
          const { default: plugin } = await import('../../lib/index.ts')
          await scope.register(plugin, { routes: [{ url: '/admin/*', upstream: 'shared' }] })
        })
      }
    })
    return (await raw(t, app.port, 'GET //admin/x HTTP/1.1\r\nHost: x\r\n\r\n')).status
  }
  assert.equal(await scoped(false), 400)
  assert.equal(await scoped(true), 200)
})

test('a hook that sees answers alone guards as well', async (t) => {
  const send: NonNullable<RouteOptions['onSend']> = async (_request, _reply, payload) => payload
  for (const hooks of [{ onSend: send }, { onResponse: async () => {} }, { onError: async () => {} }]) {
    const { ask } = await guarded(t, [{ url: '/*' }, { url: '/admin/*', ...hooks }])
    assert.equal(await ask('//admin/x'), 400)
  }
})

test('the hooks of the plugin itself guard nothing', async (t) => {
  const { ask } = await guarded(t, [{ url: '/*' }, { url: '/admin/*', headers: { response: { set: { 'x-a': 'b' }, when: 'always' } } }], {
    before: (app) => { app.addHook('onRequest', async () => {}) }
  })
  assert.equal(await ask('//admin/x'), 200)
})

test('ambiguousPaths: forward sends them as they are, by its own route alone', async (t) => {
  const { ask, urls } = await guarded(t, [{ url: '/*', ambiguousPaths: 'forward' }, { url: '/open/*' }, { url: '/admin/*', onRequest: refuse }])

  for (const path of spelt) assert.equal(await ask(path), 200, path)
  assert.deepEqual(urls(), spelt)
})

test('what another route would take without guarding more is forwarded', async (t) => {
  const { ask } = await guarded(t, [{ url: '/*', onRequest: async () => {} }, { url: '/assets/*' }, { url: '/assets/:name/x' }])
  assert.deepEqual([await ask('//assets/x'), await ask('/assets%2fx'), await ask('/assets//x/x')], [200, 200, 200])
})

test('a WebSocket handshake and explain are told the same', async (t) => {
  const { app } = await guarded(t, [{ url: '/*', websocket: true }, { url: '/admin/*', websocket: true, onRequest: refuse }])

  assert.equal((await raw(t, app.port, handshake('//admin/x'))).status, 400)
  const { refusal } = app.app.proxy.explain({ url: '//admin/x' })
  assert.deepEqual([refusal!.status, refusal!.reason], [400, "an upstream may read the path as /admin/x, which is for the route '/admin/*'; see ambiguousPaths"])
})
