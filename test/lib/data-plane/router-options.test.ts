import assert from 'node:assert/strict'
import { test } from 'node:test'
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import { strictly } from '../../../lib/data-plane/route-path.ts'
import { matchingOf, routerOptionsOf, urlsIn, watchMethods } from '../../../lib/data-plane/router-options.ts'

const written: readonly (readonly [options: object, meant: object])[] = [
  [{}, {}],
  [{ caseSensitive: false, ignoreTrailingSlash: true }, { caseSensitive: false, ignoreTrailingSlash: true }],
  [{ routerOptions: { caseSensitive: false, ignoreDuplicateSlashes: true, useSemicolonDelimiter: true } }, { caseSensitive: false, ignoreDuplicateSlashes: true, useSemicolonDelimiter: true }],
  [{ ignoreTrailingSlash: true, routerOptions: { caseSensitive: false } }, { caseSensitive: false, ignoreTrailingSlash: true }],
  [{ ignoreTrailingSlash: true, routerOptions: { ignoreTrailingSlash: false } }, {}]
]

for (const [options, meant] of written) {
  test(`what ${JSON.stringify(options)} lets the router overlook is known, in every scope`, async () => {
    const app = Fastify(options as FastifyServerOptions)
    let inScope: unknown
    app.register(async (scope) => { inScope = matchingOf(scope) })
    await app.ready()

    assert.deepEqual(matchingOf(app), { ...strictly, ...meant })
    assert.deepEqual(inScope, { ...strictly, ...meant })
  })
}

test('the options of an app that keeps them elsewhere are those that it tells of', () => {
  // Before 5.5 there were no routerOptions, and some day the symbol may have another name.
  const app = { addHttpMethod () {}, initialConfig: { caseSensitive: false, maxParamLength: 7 } } as unknown as FastifyInstance
  assert.equal(routerOptionsOf(app)['maxParamLength'], 7)
  assert.deepEqual(matchingOf(app), { ...strictly, caseSensitive: false })
})

test('a route in a scope has the urls that Fastify gives it', () => {
  assert.deepEqual(urlsIn({ prefix: '' }, '/', undefined, strictly), ['/'])
  assert.deepEqual(urlsIn({ prefix: '/a' }, '/x', undefined, strictly), ['/a/x'])
  assert.deepEqual(urlsIn({ prefix: '/a/' }, '/x', undefined, strictly), ['/a/x'])
  assert.deepEqual(urlsIn({ prefix: '/' }, '/*', undefined, strictly), ['/*'])
  assert.deepEqual(urlsIn({ prefix: '/a' }, '*', undefined, strictly), ['/a*'])
  assert.deepEqual(urlsIn({ prefix: '/a' }, '/', undefined, strictly), ['/a', '/a/'])
  assert.deepEqual(urlsIn({ prefix: '/a' }, '/', 'slash', strictly), ['/a/'])
  assert.deepEqual(urlsIn({ prefix: '/a/' }, '/', 'no-slash', strictly), ['/a/'])
  assert.deepEqual(urlsIn({ prefix: '/a' }, '/', undefined, { ...strictly, ignoreTrailingSlash: true }), ['/a'])
  assert.deepEqual(urlsIn({ prefix: '/a/' }, '/', undefined, { ...strictly, ignoreDuplicateSlashes: true }), ['/a/'])
})

test('tells of methods that are new, and of those that come while the app starts', async () => {
  const app = Fastify()
  const told: [string, boolean][] = []
  await app.register(async (scope) => { watchMethods(scope, (method, isTooLate) => { told.push([method, isTooLate]) }) })
  app.addHook('onReady', async () => { app.addHttpMethod('LOCK') })
  assert.equal(app.addHttpMethod('PROPFIND', { hasBody: true }), app)
  app.addHttpMethod('PROPFIND', { hasBody: false, overrideExisting: true } as object)
  await app.ready()

  assert.deepEqual(told, [['PROPFIND', false], ['LOCK', true]])
  assert.ok(app.supportedMethods.includes('PROPFIND'))
})
