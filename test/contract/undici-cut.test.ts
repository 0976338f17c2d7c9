import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { Readable } from 'node:stream'
import test from 'node:test'
import { buildConnector, Client, errors } from 'undici'
import { answer, collectHead, drip, hang, origin, rawOrigin, stall } from '../helpers/origin.ts'
import { dispatch, poolOf, Recorder, remembering, send } from './recorder.ts'

/*
 * What lib/data-plane/pool/counting-client.ts leans on where a request is given up, and what it does not lean on.
 */

const givenUp = new errors.SocketError('given up')

for (const [what, step] of Object.entries({ 'for the head': hang(), 'for the body': drip(['a', 'b'], 5000), 'with its upload': stall() })) {
  test(`destroying the socket of a request that waits ${what} ends it with that error, and opens no other connection`, async (t) => {
    const upstream = await origin(t, step)
    const sockets: Socket[] = []
    const pool = poolOf(t, upstream.url, { connect: remembering(sockets) })
    const body = what === 'with its upload' ? Readable.from(Array.from({ length: 500 }, () => Buffer.alloc(65_536))) : null
    const handler = new Recorder()

    dispatch(pool, { method: body === null ? 'GET' : 'POST', body }, handler)
    await upstream.arrived(1)
    if (what === 'for the body') await handler.called('onData')
    sockets[0]!.destroy(givenUp)
    await handler.called('onError')
    upstream.requests[0]!.read()
    await upstream.idle()

    assert.equal(handler.error, givenUp)
    assert.equal(pool.stats.size, 0)
    // Whatever would open one has had its turn.
    await new Promise((resolve) => setImmediate(resolve))
    assert.equal(upstream.connections, 1)
  })
}

test('the requests behind it get a connection of their own', async (t) => {
  const upstream = await origin(t, hang(), answer(200, 'ok'))
  const sockets: Socket[] = []
  const pool = poolOf(t, upstream.url, { connect: remembering(sockets) })
  const [first, second] = [new Recorder(), new Recorder()]

  dispatch(pool, {}, first)
  dispatch(pool, {}, second)
  await upstream.arrived(1)
  sockets[0]!.destroy(givenUp)
  await second.ended()

  assert.equal(first.error, givenUp)
  assert.equal(second.body, 'ok')
})

test('its own abort opens another connection for nobody: the reason not to use it', async (t) => {
  const upstream = await origin(t, hang())
  const handler = new Recorder()

  dispatch(poolOf(t, upstream.url), {}, handler)
  await upstream.arrived(1)
  handler.abort()
  await upstream.accepted(2)

  assert.equal(handler.error?.code, 'UND_ERR_ABORTED')
  assert.equal(upstream.hits, 1)
})

test('a body that fails is told of before the connection goes: who destroys the socket then has no other one opened', async (t) => {
  const upstream = await origin(t, hang())
  const sockets: Socket[] = []
  const pool = poolOf(t, upstream.url, { connect: remembering(sockets) })
  const body = new Readable({ read () {} })
  const broken = new Error('the client has gone')
  const handler = new Recorder({
    onError () {
      assert.equal(sockets[0]!.destroyed, false)
      sockets[0]!.destroy(givenUp)
    }
  })

  dispatch(pool, { method: 'POST', body }, handler)
  // The head goes out with the first of the body.
  body.push('first')
  await upstream.arrived(1)
  body.destroy(broken)
  await handler.called('onError')
  await upstream.idle()
  await new Promise((resolve) => setImmediate(resolve))

  assert.equal(handler.error, broken)
  assert.equal(upstream.connections, 1)
})

test('destroys the body of a request that fails', async (t) => {
  const upstream = await origin(t, hang())
  const sockets: Socket[] = []
  const body = new Readable({ read () {} })
  body.on('error', () => {})

  dispatch(poolOf(t, upstream.url, { connect: remembering(sockets) }), { method: 'POST', body }, new Recorder())
  body.push('first')
  await upstream.arrived(1)
  const closed = once(body, 'close')
  sockets[0]!.destroy(givenUp)
  await closed

  assert.ok(body.destroyed)
})

test('a client tells by stats.size whether it has anything to carry', async (t) => {
  const upstream = await origin(t, hang(), answer(200))
  const clients: Client[] = []
  const pool = poolOf(t, upstream.url, {
    connections: 2,
    factory: (origin: URL | string, options: object) => {
      const client = new Client(origin, options)
      clients.push(client)
      return client
    }
  })

  dispatch(pool, {})
  await upstream.arrived(1)
  await send(pool)
  await new Promise((resolve) => setImmediate(resolve))

  assert.deepEqual(clients.map(({ stats }) => stats.size), [1, 0])
})

test('hands the connector of the pool to the clients that the factory makes, which may call it in their own way', async (t) => {
  const upstream = await origin(t, answer(200))
  const sockets: Socket[] = []
  const connect = remembering(sockets)
  const seen: unknown[] = []
  const pool = poolOf(t, upstream.url, {
    connect,
    factory: (origin: URL | string, options: object) => {
      const { connect: given } = options as { connect: buildConnector.connector }
      seen.push(given === connect)
      return new Client(origin, {
        ...options,
        connect: (request, callback) => given(request, (...result) => {
          seen.push(result[1])
          callback(...result)
        })
      })
    }
  })

  await send(pool)

  assert.deepEqual(seen, [true, sockets[0]])
})

test('takes a reset for the end of a body that ends with its connection; the socket knows better', async (t) => {
  const upstream = await rawOrigin(t, async (socket) => {
    await collectHead(socket)
    socket.write('HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nhalf')
  })
  const sockets: Socket[] = []
  let errored: Error | null = null
  const handler = new Recorder({ onComplete () { errored = sockets[0]!.errored } })

  dispatch(poolOf(t, upstream.url, { connect: remembering(sockets) }), {}, handler)
  await handler.called('onData')
  for (const socket of upstream.sockets.keys()) socket.resetAndDestroy()
  await handler.ended()

  assert.equal(handler.calls.at(-1), 'onComplete')
  assert.equal((errored as NodeJS.ErrnoException | null)?.code, 'ECONNRESET')
})

test('at an orderly end there is no error on the socket when the body is said to be complete', async (t) => {
  const upstream = await rawOrigin(t, async (socket) => {
    await collectHead(socket)
    socket.end('HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nwhole')
  })
  const sockets: Socket[] = []
  const onSocket: (Error | null)[] = []

  const { body } = await send(poolOf(t, upstream.url, { connect: remembering(sockets) }), {}, new Recorder({ onComplete () { onSocket.push(sockets[0]!.errored) } }))

  assert.equal(body, 'whole')
  assert.deepEqual(onSocket, [null])
})

test('misses the body that the Content-Length of a 304 tells of, and that is not to come', async (t) => {
  const upstream = await rawOrigin(t, async (socket) => {
    await collectHead(socket)
    socket.write('HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n')
  })

  const { calls, heads } = await send(poolOf(t, upstream.url))

  assert.equal(heads[0]!.status, 304)
  assert.equal(calls.at(-1), 'onError')
})
