import assert from 'node:assert/strict'
import { connect, type Socket } from 'node:net'
import test from 'node:test'
import { Pool } from 'undici'
import { answer, origin } from '../helpers/origin.ts'
import { dispatch, Recorder } from './recorder.ts'

// What pool/reading-socket.ts stands in for: these are all the ways in which undici reads a socket of HTTP/1.

test('undici reads a socket when it is readable, by read() without a size, and puts back the rest when it pauses', async (t) => {
  const body = Buffer.alloc(200_000, 'x')
  const upstream = await origin(t, answer(200, body))
  const sizes: unknown[] = []
  let socket: Socket | null = null
  let rests = 0
  const pool = new Pool(upstream.url, {
    connect: ({ hostname, port }, callback) => {
      const made = socket = connect(Number(port), hostname)
      const { read, unshift } = made
      made.read = (size) => {
        // Node's own streams read too.
        if (new Error('by whom').stack!.split('\n')[2]!.includes('undici')) sizes.push(size)
        return read.call(made, size) as unknown
      }
      made.unshift = (chunk: unknown) => { rests++; unshift.call(made, chunk) }
      made.once('connect', () => { callback(null, made) })
      return made
    }
  })
  t.after(() => pool.destroy())
  const handler = new Recorder({ onHeaders: () => false })

  dispatch(pool, { method: 'GET' }, handler)
  await handler.called('onHeaders')
  assert.equal(rests, 1)
  assert.deepEqual([socket!.listenerCount('data'), socket!.listenerCount('readable')], [0, 1])
  handler.resume()
  await handler.called('onComplete')

  assert.ok(sizes.length > 0)
  assert.ok(sizes.every((size) => size === undefined))
})
