import assert from 'node:assert/strict'
import test from 'node:test'
import { symbolIn } from '../../../lib/data-plane/fastify-symbols.ts'

test('finds a symbol of an object by its description, and none that is not there', () => {
  const wanted = Symbol('fastify.hooks')
  const object = { [Symbol('fastify.other')]: 1, [wanted]: 2 }
  assert.equal(symbolIn(object, 'fastify.hooks'), wanted)
  assert.equal(symbolIn(object, 'hooks'), undefined)
  assert.equal(symbolIn(Object.create(object) as object, 'fastify.hooks'), undefined)
})
