import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { collectHead, rawOrigin, type RawOrigin } from '../helpers/origin.ts'
import { start, type Started } from '../helpers/proxy.ts'

const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

type End = (socket: Socket) => void
const ends: [how: string, end: End][] = [
  ['closes', (socket) => { socket.destroy() }],
  ['resets', (socket) => { socket.resetAndDestroy() }]
]

/** Whether there is another request before the proxy closes. */
async function next (socket: Socket): Promise<boolean> {
  return collectHead(socket).then(() => true, () => false)
}

/** Every connection is good for one answer; the next request on it finds it gone. */
async function forgetful (t: TestContext, end: End): Promise<RawOrigin> {
  return rawOrigin(t, async (socket) => {
    await collectHead(socket)
    socket.write(ok)
    if (await next(socket)) end(socket)
  })
}

async function startOne (t: TestContext, upstream: RawOrigin): Promise<Started> {
  return start(t, { upstreams: { one: upstream.url }, routes: [{ url: '/*', upstream: 'one' }] })
}

const again: [method: string, body?: string][] = [['GET'], ['HEAD'], ['OPTIONS'], ['DELETE'], ['PUT'], ['PUT', 'body'], ['DELETE', 'body']]
const notAgain: [method: string, body?: string][] = [['POST'], ['PATCH'], ['POST', 'body'], ['PATCH', 'body']]

for (const [how, end] of ends) {
  for (const [method, body] of again) {
    test(`a ${method}${body === undefined ? '' : ' with a body'} on an idle connection that the upstream just then ${how} is sent again, on a new one`, async (t) => {
      const upstream = await forgetful(t, end)
      const proxy = await startOne(t, upstream)
      assert.equal((await proxy.get('/first')).status, 200)
      await proxy.line()

      const response = await proxy.request('/second', { method, ...(body !== undefined && { body, headers: { 'content-length': body.length } }) })

      assert.equal(response.status, 200)
      assert.deepEqual(upstream.heads.map((head) => head.split(' HTTP')[0]), ['GET /first', `${method} /second`, `${method} /second`])
      assert.equal(upstream.connections, 2)
      const line = await proxy.line()
      assert.deepEqual({ attempts: line['attempts'], error: line['error'], reused: line['reusedSocket'] }, { attempts: 2, error: '', reused: false })
    })
  }

  for (const [method, body] of notAgain) {
    test(`a ${method}${body === undefined ? '' : ' with a body'} on an idle connection that the upstream just then ${how} is not sent again: it may have been acted upon`, async (t) => {
      const upstream = await forgetful(t, end)
      const proxy = await startOne(t, upstream)
      assert.equal((await proxy.get('/first')).status, 200)
      await proxy.line()

      const response = await proxy.request('/second', { method, ...(body !== undefined && { body, headers: { 'content-length': body.length } }) })

      assert.equal(response.status, 502)
      assert.deepEqual(upstream.heads.map((head) => head.split(' HTTP')[0]), ['GET /first', `${method} /second`])
      const line = await proxy.line()
      assert.deepEqual({ attempts: line['attempts'], error: line['error'], reused: line['reusedSocket'] }, { attempts: 1, error: 'connection_terminated', reused: true })
    })
  }
}

test('an upstream that has begun to answer on an idle connection is not asked again', async (t) => {
  const upstream = await rawOrigin(t, async (socket) => {
    await collectHead(socket)
    socket.write(ok)
    await collectHead(socket)
    socket.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf')
  })
  const proxy = await startOne(t, upstream)
  assert.equal((await proxy.get('/first')).status, 200)

  const response = await proxy.get('/second')

  assert.equal(response.aborted, true)
  assert.equal(upstream.hits, 2)
})

test('a new connection that closes without a word is not taken for a stale one', async (t) => {
  const upstream = await rawOrigin(t, async (socket) => {
    await collectHead(socket)
    socket.destroy()
  })
  const proxy = await startOne(t, upstream)

  const response = await proxy.get('/first')

  assert.equal(response.status, 502)
  assert.equal(upstream.hits, 1)
})

test('no number of stale connections costs a client an error', async (t) => {
  const waiting: Socket[] = []
  const upstream = await rawOrigin(t, async (socket, index) => {
    await collectHead(socket)
    // The first four are all open before any of them is answered.
    waiting.push(socket)
    if (waiting.length === 4) for (const each of waiting) each.write(ok)
    if (index >= 4) socket.write(ok)
    if (await next(socket)) socket.resetAndDestroy()
  })
  const proxy = await startOne(t, upstream)
  await Promise.all(Array.from({ length: 4 }, () => proxy.get('/warm')))
  assert.equal(upstream.connections, 4)

  const response = await proxy.get('/x')

  assert.equal(response.status, 200)
})

test('an idle connection that the upstream closed before is not used at all', async (t) => {
  const upstream = await rawOrigin(t, async (socket) => {
    await collectHead(socket)
    socket.end(ok)
  })
  const proxy = await startOne(t, upstream)

  for (let n = 0; n < 5; n++) {
    const response = await proxy.request('/x', { method: 'POST', body: 'each of them once' })
    assert.equal(response.status, 200)
    await upstream.closed(n + 1)
  }

  assert.equal(upstream.hits, 5)
  assert.equal(upstream.connections, 5)
})
