import assert from 'node:assert/strict'
import test from 'node:test'
import Fastify from 'fastify'

/*
 * What `app.inject()` leaves out of requests and responses, and lib/data-plane/injected.ts and departure.ts make up for.
 */

test('an injected request has no trailers, not even none, is never complete, and has a socket with an address and nothing else', async (t) => {
  const app = Fastify()
  t.after(() => app.close())
  let seen: unknown[] = []
  app.get('/', ({ raw }, reply) => {
    seen = [raw.rawTrailers, raw.complete, raw.socket.errored, raw.socket.destroyed, raw.socket.bytesRead, typeof raw.socket.destroy, typeof raw.socket.end, raw.socket.remoteAddress]
    reply.send('')
  })
  await app.inject('/')
  assert.deepEqual(seen, [undefined, undefined, undefined, undefined, undefined, 'undefined', 'undefined', '127.0.0.1'])
})

test('an injected response that nobody reads as a stream takes all that is written at once, whatever it looks like, and closes before that is out', async (t) => {
  const app = Fastify()
  t.after(() => app.close())
  const seen: unknown[] = []
  app.get('/', (_request, reply) => {
    reply.hijack()
    const { raw } = reply
    raw.on('drain', () => { seen.push('drain') })
    raw.on('close', () => { seen.push('close', raw.writableEnded, raw.writableFinished, raw.socket!.destroyed) })
    seen.push(raw.write(Buffer.alloc(1_000_000)), raw.writableNeedDrain)
    setImmediate(() => { raw.end('end') })
  })
  const { rawPayload } = await app.inject('/')
  assert.equal(rawPayload.length, 1_000_003)
  assert.deepEqual(seen, [true, true, 'close', true, false, false])
})
