import assert from 'node:assert/strict'
import test from 'node:test'
import { connect, values } from '../helpers/client.ts'
import { collectHead, rawOrigin, speak } from '../helpers/origin.ts'
import { start } from '../helpers/proxy.ts'

const get = 'GET /x HTTP/1.1\r\nHost: x\r\nIf-None-Match: "a"\r\n\r\n'
const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext'

test('a 304 with a Content-Length keeps it, and both connections stay in step', async (t) => {
  const upstream = await rawOrigin(t, speak((n) => n % 2 === 0 ? ok : 'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\ncontent-length:  1234 \r\nX-Last: 1\r\n\r\n'))
  const app = await start(t, { upstream: upstream.url })
  const client = await connect(t, app.port)

  for (let turn = 0; turn < 3; turn++) {
    client.write(get + get)
    const [unchanged, next] = [await client.response(), await client.response()]
    assert.deepEqual([unchanged.status, values(unchanged.rawHeaders, 'content-length'), unchanged.headers['etag'], unchanged.headers['x-last']], [304, ['1234'], '"a"', '1'])
    assert.deepEqual([next.status, next.body.toString(), values(next.rawHeaders, 'content-length')], [200, 'next', ['4']])
  }

  assert.equal(upstream.connections <= 2, true, `${upstream.connections} connections`)
})

test('a 304 that comes in pieces is put together', async (t) => {
  const head = 'HTTP/1.1 304 Not Modified\r\nContent-Length: 1234\r\nETag: "a"\r\n\r\n'
  const cuts = [1, 10, 13, 30, 40, head.length - 2]
  const upstream = await rawOrigin(t, async (socket) => {
    socket.setNoDelay(true)
    for (const at of cuts) {
      await collectHead(socket)
      socket.write(head.slice(0, at))
      await new Promise((resolve) => setTimeout(resolve, 20))
      socket.write(head.slice(at))
    }
  })
  const app = await start(t, { upstream: upstream.url })
  const client = await connect(t, app.port)

  for (const at of cuts) {
    client.write(get)
    const { status, headers } = await client.response()
    assert.deepEqual([status, headers['content-length'], headers['etag']], [304, '1234', '"a"'], `cut at ${at}`)
  }
  assert.equal(upstream.connections, 1)
})

test('a 304 without a length says none, also behind one that did', async (t) => {
  const upstream = await rawOrigin(t, speak((n) => n === 1 ? 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n' : 'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\n\r\n'))
  const app = await start(t, { upstream: upstream.url })
  const client = await connect(t, app.port)

  client.write(get)
  await client.response()
  client.write(get)
  const { status, headers } = await client.response()

  assert.deepEqual([status, headers['content-length'], upstream.connections], [304, undefined, 1])
})

test('a 304 whose length is none, or said twice, is still no body', async (t) => {
  for (const lines of ['Content-Length: 5\r\nContent-Length: 6', 'Content-Length: x']) {
    const upstream = await rawOrigin(t, speak(`HTTP/1.1 304 Not Modified\r\n${lines}\r\n\r\n`))
    const app = await start(t, { upstream: upstream.url })
    const client = await connect(t, app.port)
    client.write(get)
    assert.equal((await client.response()).status, 502, lines)
  }
})
