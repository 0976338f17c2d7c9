import assert from 'node:assert/strict'
import test from 'node:test'
import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify'
import { guardingHooks, hasEarlierHooks, hasSendHooks, ownHook, ownSendHook } from '../../../lib/data-plane/app-hooks.ts'

test('tells whether an app has hooks that answer first', async (t) => {
  const app = Fastify()
  t.after(() => app.close())
  assert.equal(hasEarlierHooks(app), false)
  await app.addHook('onSend', async () => {}).after()
  assert.equal(hasEarlierHooks(app), false)
  await app.addHook('onRequest', async () => {}).after()
  assert.equal(hasEarlierHooks(app), true)
})

const ours = ownSendHook(async () => {})
async function theirs (): Promise<void> {}

const owners: readonly (readonly [whose: string, hook: (app: FastifyInstance) => unknown, route: object, isSeen: boolean])[] = [
  ['nobody', () => {}, {}, false],
  ['we alone', () => {}, { onSend: ours }, false],
  ['the app', (app) => app.addHook('onSend', theirs), {}, true],
  ['the route', () => {}, { onSend: theirs }, true],
  ['a function without a name', () => {}, { onSend: async () => {} }, true],
  ['the app and we', (app) => app.addHook('onSend', theirs), { onSend: ours }, true],
  ['a plugin that gives hooks to routes', (app) => app.addHook('onRoute', (options) => { options.onSend = theirs }), {}, true],
  ['a plugin in our place', (app) => app.addHook('onRoute', (options) => { options.onSend = theirs }), { onSend: ours }, true]
]
for (const [whose, hook, route, isSeen] of owners) {
  test(`what is sent is ${isSeen ? '' : 'not '}seen by others where ${whose} may see it`, async (t) => {
    const app = Fastify()
    t.after(() => app.close())
    hook(app)
    app.get('/', route, async (request) => hasSendHooks(request))
    assert.equal((await app.inject('/')).body, String(isSeen))
  })
}

test('takes them to be there where it cannot know', () => {
  for (const scope of [{}, { [Symbol('fastify.hooks')]: {} }]) assert.equal(hasEarlierHooks(scope as unknown as FastifyInstance), true)
  for (const scope of [{}, { [Symbol('fastify.hooks')]: { onRequest: [] } }]) assert.equal(guardingHooks(scope as unknown as FastifyInstance, {}), null)
  for (const request of [{}, { [Symbol('fastify.context')]: {} }]) assert.equal(hasSendHooks(request as unknown as FastifyRequest), true)
})

test('tells which hooks a request to a route passes: those of its scope and its own, and none of ours', () => {
  const [scoped, first, second, send, ours] = [() => {}, () => {}, () => {}, () => {}, ownHook(() => {})]
  const names = ['preParsing', 'preValidation', 'preHandler', 'preSerialization', 'onResponse', 'onTimeout', 'onError', 'onRequestAbort']
  const hooks = { onRequest: [scoped], ...Object.fromEntries(names.map((name) => [name, []])), onSend: [send] }
  const scope = { [Symbol('fastify.hooks')]: hooks } as unknown as FastifyInstance

  assert.deepEqual([...guardingHooks(scope, { onRequest: [ours, first], preHandler: second, onSend: [send, ours] })!], [scoped, first, second, send])
})
