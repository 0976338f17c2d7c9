import assert from 'node:assert/strict'
import { test } from 'node:test'
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'

/*
 * Joining of prefixes, and where Fastify keeps the options of its router: what data-plane/router-options.ts and route-lookup.ts repeat.
 */

interface Told { url: string, routePath: string, prefix: string }

async function routesOf (url: string, prefixes: string[], options: FastifyServerOptions, route: object = {}): Promise<{ app: FastifyInstance, told: Told[] }> {
  const app = Fastify(options)
  const told: Told[] = []
  app.addHook('onRoute', ({ url, routePath, prefix, method }) => { if (method !== 'HEAD') told.push({ url, routePath, prefix }) })
  const mount = prefixes.reduceRight<(scope: FastifyInstance) => void>((inner, prefix) => (scope) => {
    scope.register(async (below) => { inner(below) }, { prefix })
  }, (scope) => { scope.route({ method: 'POST', url, handler: async () => 'ok', ...route }) })
  mount(app)
  await app.ready()
  return { app, told }
}

const joins: readonly (readonly [prefixes: string[], url: string, joined: string])[] = [
  [['/pub/'], '/x', '/pub/x'], [['/pub/'], 'x', '/pub/x'], [['/pub'], '/x', '/pub/x'], [['/'], '/x', '/x'], [['/'], '/*', '/*'], [['/pub/'], '/*', '/pub/*'], [['/pub/'], '*', '/pub/*'],
  [['/pub/'], '', '/pub/'], [['/a/', '/b/'], '/x', '/a/b/x'], [['/a', '/b/'], '/x', '/a/b/x'], [['/', '/b'], '/x', '/b/x'], [['/:t/'], '/x', '/:t/x']
]

for (const [prefixes, url, joined] of joins) {
  test(`declares '${url}' in ${prefixes.map((prefix) => `'${prefix}'`).join(' in ')} as ${joined}`, async () => {
    const { told } = await routesOf(url, prefixes, {})
    assert.deepEqual(told.map(({ url }) => url), [joined])
  })
}

const atPrefix: readonly (readonly [prefix: string, options: FastifyServerOptions, trailing: string | undefined, urls: string[]])[] = [
  ['/pub', {}, undefined, ['/pub', '/pub/']], ['/pub/', {}, undefined, ['/pub/', '/pub//']], ['/pub', {}, 'both', ['/pub', '/pub/']],
  ['/pub', {}, 'slash', ['/pub/']], ['/pub/', {}, 'slash', ['/pub//']], ['/pub', {}, 'no-slash', ['/pub']], ['/pub/', {}, 'no-slash', ['/pub/']],
  ['/pub', { routerOptions: { ignoreTrailingSlash: true } }, undefined, ['/pub']],
  ['/pub/', { routerOptions: { ignoreDuplicateSlashes: true } }, undefined, ['/pub/']]
]

for (const [prefix, options, trailing, urls] of atPrefix) {
  test(`declares '/' in '${prefix}' as ${urls.join(' and ')} with prefixTrailingSlash ${trailing} and ${JSON.stringify(options)}, and tells onRoute of the first alone`, async () => {
    const { app, told } = await routesOf('/', [prefix], options, trailing === undefined ? {} : { prefixTrailingSlash: trailing })
    assert.deepEqual(told.map(({ url }) => url), urls.slice(0, 1))
    for (const url of urls) assert.ok(app.hasRoute({ method: 'POST', url }), url)
    assert.equal(told[0]!.routePath, trailing === 'slash' ? '/' : '')
    assert.equal(told[0]!.prefix, prefix)
  })
}

test('keeps the options of its router, wherever they were written, under a symbol', () => {
  const app = Fastify({ ignoreTrailingSlash: true, routerOptions: { caseSensitive: false } })
  const place = Object.getOwnPropertySymbols(app).find(({ description }) => description === 'fastify.options')!
  const { routerOptions } = (app as unknown as Record<symbol, { routerOptions: Record<string, unknown> }>)[place]!

  assert.equal(routerOptions['caseSensitive'], false)
  assert.equal(routerOptions['ignoreTrailingSlash'], true)
  // The reason for the symbol.
  assert.equal((app.initialConfig as { routerOptions?: Record<string, unknown> }).routerOptions!['ignoreTrailingSlash'], false)
})

test('has its state under a symbol: a route that is declared while it boots would have no hooks', async () => {
  const app = Fastify()
  const place = Object.getOwnPropertySymbols(app).find(({ description }) => description === 'fastify.state')!
  const state = (): { booting: boolean, started: boolean } => (app as unknown as Record<symbol, { booting: boolean, started: boolean }>)[place]!
  assert.deepEqual([state().booting, state().started], [false, false])
  let seen: unknown
  app.addHook('onReady', async () => { seen = state().booting })
  await app.ready()

  assert.equal(seen, true)
  assert.equal(state().started, true)
})

test('every scope finds addHttpMethod on the app itself', async () => {
  const app = Fastify()
  let isInherited: boolean | undefined
  app.register(async (scope) => { isInherited = !Object.hasOwn(scope, 'addHttpMethod') && scope.addHttpMethod === app.addHttpMethod })
  await app.ready()

  assert.ok(Object.hasOwn(app, 'addHttpMethod'))
  assert.equal(isInherited, true)
})

test('gives each onReady hook its own pluginTimeout', async () => {
  const wait = (): Promise<void> => new Promise((resolve) => { setTimeout(resolve, 300) })
  const app = Fastify({ pluginTimeout: 400 })
  app.addHook('onReady', wait)
  app.addHook('onReady', wait)
  await app.ready()

  const late = Fastify({ pluginTimeout: 100 })
  late.addHook('onReady', wait)
  await assert.rejects(async () => { await late.ready() }, { code: 'FST_ERR_HOOK_TIMEOUT' })
})
