import assert from 'node:assert/strict'
import test from 'node:test'
import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify'
import { hasEarlierHooks, hasSendHooks, ownHook, ownSendHook, refusingHooks } from '../../../lib/data-plane/app-hooks.ts'

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
  for (const scope of [{}, { [Symbol('fastify.hooks')]: { onRequest: [] } }]) assert.equal(refusingHooks(scope as unknown as FastifyInstance, {}), null)
  for (const request of [{}, { [Symbol('fastify.context')]: {} }]) assert.equal(hasSendHooks(request as unknown as FastifyRequest), true)
})

test('tells which functions may refuse a request to a route: of its scope and its own, and none of ours', () => {
  const [scoped, first, second, handler, ours] = [() => {}, () => {}, () => {}, () => {}, ownHook(() => {})]
  const scope = { [Symbol('fastify.hooks')]: { onRequest: [scoped], preParsing: [], preValidation: [], preHandler: [], onSend: [handler] } } as unknown as FastifyInstance

  assert.deepEqual([...refusingHooks(scope, { onRequest: [ours, first], preHandler: second, onSend: handler })!], [scoped, first, second])
})
