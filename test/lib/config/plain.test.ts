import assert from 'node:assert/strict'
import { test } from 'node:test'
import { copyOptions, freeze, isPlain } from '../../../lib/config/plain.ts'

const balancer = { pick: () => { throw new Error('not asked') } }

test('copies objects and lists, and leaves to the user what may keep count or cannot be copied', () => {
  const fn = (): void => {}
  const given = { a: [1, { b: 'c' }], fn, buffer: Buffer.from('x'), pattern: /x/, balancer, missing: undefined }
  const copy = copyOptions(given) as typeof given

  assert.deepEqual(copy, { a: [1, { b: 'c' }], fn, buffer: given.buffer, pattern: given.pattern, balancer })
  assert.ok(copy !== given && copy.a !== given.a && copy.a[1] !== given.a[1])
  assert.ok(copy.fn === fn && copy.buffer === given.buffer && copy.balancer === balancer)
  assert.equal('missing' in copy, false)
})

test('freezes what it copies, but for the options of Fastify, which writes into them', () => {
  const value = freeze({ a: [{ b: 1 }], fastify: { config: {} }, balancer })
  assert.ok(Object.isFrozen(value) && Object.isFrozen(value.a) && Object.isFrozen(value.a[0]))
  assert.ok(!Object.isFrozen(value.fastify.config) && !Object.isFrozen(balancer))
})

test('plain is what JSON could hold as an object', () => {
  assert.deepEqual([{}, Object.create(null), [], null, 'x', new Date(), Buffer.from('')].map(isPlain), [true, true, false, false, false, false, false])
})
