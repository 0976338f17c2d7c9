import assert from 'node:assert/strict'
import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import test from 'node:test'
import Fastify from 'fastify'
import { furnish, isInjected } from '../../../lib/data-plane/injected.ts'

test('a request that came over a connection is not injected', () => {
  assert.equal(isInjected(new IncomingMessage(new Socket())), false)
})

test('an injected request is, and has what others have once it is furnished', async (t) => {
  const app = Fastify()
  t.after(() => app.close())
  let seen: unknown[] = []
  app.get('/', ({ raw }, reply) => {
    seen = [isInjected(raw)]
    furnish(raw)
    raw.socket.end()
    raw.socket.destroy()
    seen.push(isInjected(raw), raw.rawTrailers, raw.complete, raw.socket.errored, raw.socket.destroyed, raw.socket.bytesRead)
    reply.send('')
  })
  await app.inject('/')
  assert.deepEqual(seen, [true, false, [], true, null, false, 0])
})
