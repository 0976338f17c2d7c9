import assert from 'node:assert/strict'
import test from 'node:test'
import Fastify, { type FastifyReply } from 'fastify'
import { isUntouched, placesIn } from '../../../lib/data-plane/whole-answer.ts'

const touches: readonly (readonly [what: string, touch: (reply: FastifyReply) => unknown, isLeft: boolean])[] = [
  ['nothing', () => {}, true],
  ['a status', (reply) => reply.code(201), true],
  ['a header', (reply) => reply.header('x-own', 'a'), false],
  ['a header that was taken off again', (reply) => reply.header('x-own', 'a').removeHeader('x-own'), true],
  ['a trailer', (reply) => reply.trailer('x-sum', (_reply, _payload, done) => { done(null, 'a') }), false],
  ['a send of its own', (reply) => { const { send } = reply; reply.send = (payload) => send.call(reply, payload) }, false]
]
for (const [what, touch, isLeft] of touches) {
  test(`a reply that was given ${what} is ${isLeft ? '' : 'not '}as it came`, async (t) => {
    const app = Fastify()
    t.after(() => app.close())
    let isAsItCame: boolean | undefined
    app.get('/', (_request, reply) => {
      touch(reply)
      isAsItCame = isUntouched(reply)
      reply.send('')
    })
    await app.inject('/')
    assert.equal(isAsItCame, isLeft)
  })
}

test('knows no places in a reply of another making', () => {
  assert.equal(placesIn({ [Symbol('fastify.reply.headers')]: {} }), null)
})
