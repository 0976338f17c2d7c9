import assert from 'node:assert/strict'
import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import test from 'node:test'
import Fastify from 'fastify'
import { furnish, isInjected, wasInjected } from '../../../lib/data-plane/injected.ts'

test('a request that came over a connection is not injected', () => {
  const raw = new IncomingMessage(new Socket())
  assert.deepEqual([isInjected(raw), wasInjected(raw)], [false, false])
})

test('an injected request is, and has what others have once it is furnished', async (t) => {
  const app = Fastify()
  t.after(() => app.close())
  let seen: unknown[] = []
  app.get('/', ({ raw }, reply) => {
    seen = [isInjected(raw), wasInjected(raw)]
    furnish(raw)
    raw.socket.end()
    raw.socket.destroy()
    seen.push(isInjected(raw), wasInjected(raw), raw.rawTrailers, raw.complete, raw.socket.errored, raw.socket.destroyed, raw.socket.bytesRead)
    reply.send('')
  })
  await app.inject('/')
  assert.deepEqual(seen, [true, false, false, true, [], true, null, false, 0])
})
