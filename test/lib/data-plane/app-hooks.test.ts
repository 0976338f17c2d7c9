import assert from 'node:assert/strict'
import test from 'node:test'
import Fastify, { type FastifyInstance } from 'fastify'
import { hasEarlierHooks, hasSendHooks } from '../../../lib/data-plane/app-hooks.ts'

test('tells whether an app has hooks that answer first, or that see what is sent', async (t) => {
  const app = Fastify()
  t.after(() => app.close())
  assert.deepEqual([hasEarlierHooks(app), hasSendHooks(app)], [false, false])
  await app.addHook('onSend', async () => {}).after()
  assert.deepEqual([hasEarlierHooks(app), hasSendHooks(app)], [false, true])
  await app.addHook('onRequest', async () => {}).after()
  assert.deepEqual([hasEarlierHooks(app), hasSendHooks(app)], [true, true])
})

test('takes them to be there where it cannot know', () => {
  const kept = Symbol('fastify.hooks')
  for (const scope of [{}, { [kept]: {} }]) {
    assert.deepEqual([hasEarlierHooks(scope as FastifyInstance), hasSendHooks(scope as FastifyInstance)], [true, true])
  }
})
