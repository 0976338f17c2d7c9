import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import test, { type TestContext } from 'node:test'
import { buildConnector, Pool } from 'undici'
import { answer, origin, type Origin } from '../helpers/origin.ts'

/*
 * With what undici destroys a socket: how data-plane/pool/connector.ts tells who ended a connection.
 */

/** Asks once, and gives what the socket had failed with when it closed. */
async function endOf (t: TestContext, upstream: Origin, options: Pool.Options, then: (pool: Pool) => void = () => {}): Promise<(Error & { code?: string }) | null> {
  const connect = buildConnector({})
  let ended!: (errored: Error | null) => void
  const end = new Promise<Error | null>((resolve) => { ended = resolve })
  const pool = new Pool(upstream.url, {
    ...options,
    connections: 1,
    connect: (target, callback) => connect(target, (...result) => {
      const socket = result[1] as Socket
      socket.once('close', () => { ended(socket.errored) })
      callback(...result)
    })
  })
  t.after(() => pool.destroy())
  const { body } = await pool.request({ path: '/', method: 'GET' })
  await body.dump()
  then(pool)
  return end
}

test('a connection that was idle for too long is destroyed with an InformationalError that says so', async (t) => {
  const error = await endOf(t, await origin(t, answer(200, 'ok')), { keepAliveTimeout: 1, keepAliveTimeoutThreshold: 0 })

  assert.deepEqual([error?.code, error?.message], ['UND_ERR_INFO', 'socket idle timeout'])
})

test('one that the upstream has ended, with a SocketError that says so', async (t) => {
  const upstream = await origin(t, answer(200, 'ok'))
  const error = await endOf(t, upstream, {}, () => { for (const socket of upstream.sockets.keys()) socket.end() })

  assert.deepEqual([error?.code, error?.message], ['UND_ERR_SOCKET', 'other side closed'])
})

test('one that the upstream has reset, with what the system said', async (t) => {
  const upstream = await origin(t, answer(200, 'ok'))
  const error = await endOf(t, upstream, {}, () => { for (const socket of upstream.sockets.keys()) socket.resetAndDestroy() })

  assert.equal(error?.code, 'ECONNRESET')
})

test('one that the upstream announced to close, with an InformationalError: reset', async (t) => {
  const error = await endOf(t, await origin(t, answer(200, 'ok', { connection: 'close' })), {})

  assert.deepEqual([error?.code, error?.message], ['UND_ERR_INFO', 'reset'])
})

test('one whose pool is destroyed, with an error of the pool\'s', async (t) => {
  const error = await endOf(t, await origin(t, answer(200, 'ok')), {}, (pool) => { pool.destroy() })

  assert.equal(error?.code, 'UND_ERR_DESTROYED')
})
