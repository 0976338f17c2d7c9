import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connect } from '../helpers/client.ts'
import { answer, hang, origin, slowHead } from '../helpers/origin.ts'
import { start } from '../helpers/proxy.ts'

/*
 * Fastify's request.signal is aborted once the body of a request has been read, with its client still waiting; http-proxy, by the
 * same 'close' of the wrong object, went on for years when the client had left.
 */

test('a request whose body has been read is not taken for one whose client left', async (t) => {
  const upstream = await origin(t, slowHead(300, answer(200, 'in the end')))
  const proxy = await start(t, { upstream: upstream.url })

  for (const body of ['small', Buffer.alloc(1024 * 1024)]) {
    const response = await proxy.request('/x', { method: 'POST', body })

    assert.deepEqual([response.status, response.body], [200, 'in the end'])
    assert.equal((await proxy.line())['error'], '')
  }
  assert.deepEqual(upstream.requests.map(({ aborted }) => aborted), [false, false])
})

test('a client that leaves after its body has been read is noticed', async (t) => {
  const upstream = await origin(t, hang())
  const proxy = await start(t, { upstream: upstream.url })
  const client = await connect(t, proxy.port)
  client.write('POST /x HTTP/1.1\r\nHost: proxy.test\r\nContent-Length: 4\r\n\r\nbody')
  await upstream.until('the whole request', () => upstream.requests[0]?.complete)

  client.socket.destroy()

  await upstream.closed(1)
  assert.equal((await proxy.line())['status'], 499)
})

test('node-http-proxy#1586: clients that leave while they wait in a pipeline leave nothing behind', async (t) => {
  const upstream = await origin(t, hang())
  const proxy = await start(t, { upstream: upstream.url })

  for (let n = 1; n <= 5; n++) {
    const client = await connect(t, proxy.port)
    client.write('GET /x HTTP/1.1\r\nHost: proxy.test\r\n\r\n'.repeat(4))
    await upstream.arrived(n * 4)
    client.socket.destroy()
    await upstream.closed(n * 4)
  }

  for (let n = 0; n < 20; n++) assert.equal((await proxy.line())['status'], 499)
  const endpoints = [...proxy.app.proxy.snapshot!.upstreams.values()].flatMap(({ state }) => state.endpoints)
  assert.deepEqual(endpoints.map(({ active }) => active), [0])
})
