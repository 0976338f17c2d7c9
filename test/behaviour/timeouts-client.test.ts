import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { connect } from '../helpers/client.ts'
import { fairly } from '../helpers/fair.ts'
import { counted, echo, hang, origin, stall, type Step } from '../helpers/origin.ts'
import type { LogLine } from '../helpers/proxy.ts'
import { assertAnswer, assertFails, assertLine, assertOneLine, get, startSick, type Row } from './error-outcome.ts'
import { assertOnTime, timed } from './timeouts-measure.ts'

const stalledUpload: Row = { status: 408, error: 'client_body_error', proxyStatus: 'http_request_error', level: 30, phase: 'requestBody' }
const stalledUpstream: Row = { status: 504, error: 'http_response_timeout', phase: 'requestBody' }
const upload = 'POST /sick/x HTTP/1.1\r\nHost: proxy.test\r\nContent-Length: 100000000\r\n\r\n'

for (const [what, sent] of [['before its first byte', ''], ['in the middle', 'some bytes']] as const) {
  test(`answers 408 to a client that falls silent in its upload ${what} for the idle timeout, within 50 ms`, async (t) => {
    const upstream = await origin(t, hang())
    const proxy = await startSick(t, upstream.url, { timeouts: { idle: 200, write: 5000, head: 100 } })

    await assertFails(t, proxy, stalledUpload, upload + sent)
    await assertOnTime(200, async () => {
      const client = await connect(t, proxy.port)
      const { ms, result } = await timed(() => {
        client.write(upload + sent)
        return client.response()
      })
      assertAnswer(result, stalledUpload)
      await client.closed
      return ms
    })
    await upstream.idle()
    assert.equal(upstream.requests.some(({ complete }) => complete), false)
  })
}

test('a client that uploads slowly, but is never silent for the idle timeout, is served', (t) => fairly(40, async () => {
  const upstream = await origin(t, echo())
  const proxy = await startSick(t, upstream.url, { timeouts: { idle: 250, head: 100 } })
  async function * slowly (): AsyncGenerator<string> {
    for (const piece of ['a', 'b', 'c', 'd', 'e', 'f']) {
      yield piece
      await sleep(100)
    }
  }

  const response = await proxy.request('/sick/x', { method: 'POST', body: slowly() })

  assert.equal(response.status, 200)
  assert.equal(JSON.parse(response.body).body, 'abcdef')
}))

test('answers 504 where the upstream stops reading the upload for the write timeout, within 50 ms', async (t) => {
  const upstream = await origin(t, stall())
  const proxy = await startSick(t, upstream.url, { timeouts: { write: 200, idle: 5000, head: 5000 } })

  await assertOnTime(200, async () => {
    const client = await connect(t, proxy.port)
    client.write(upload)
    // As much as the buffers on the way take; then nobody moves any more.
    client.write(Buffer.alloc(32 * 1024 * 1024))
    let movedAt = performance.now()
    let before = movedAt
    let left = client.socket.writableLength
    let bytes = client.socket.bytesWritten
    const watch = setInterval(() => {
      const now = performance.now()
      const { writableLength, bytesWritten } = client.socket
      if (writableLength !== left || bytesWritten !== bytes) movedAt = before
      left = writableLength
      bytes = bytesWritten
      before = now
    }, 1)
    const response = await client.response()
    clearInterval(watch)
    assertAnswer(response, stalledUpstream)
    const line = await proxy.line()
    assertLine(line, stalledUpstream)
    assertOneLine(proxy, line)
    return performance.now() - movedAt
  })
})

/** Sends more and more, until the proxy cannot get rid of it; then goes on or ends. */
function flood (proxied: () => ServerResponse, andEnd: boolean): Step {
  return counted((_req, res) => {
    res.writeHead(200)
    function more (): void {
      if (res.destroyed) return
      if (andEnd && proxied().writableLength > 0) res.end()
      else if (res.write(Buffer.alloc(andEnd ? 16_384 : 65_536, 'x'))) setImmediate(more)
      else res.once('drain', more)
    }
    more()
  })
}

for (const [what, andEnd] of [['more to come', false], ['all of it with the proxy', true]] as const) {
  test(`cuts off a client that stops reading for the write timeout, with ${what}, within 50 ms`, async (t) => {
    let response: ServerResponse | undefined
    const upstream = await origin(t, flood(() => response!, andEnd))
    const proxy = await startSick(t, upstream.url, { timeouts: { write: 300, idle: 60_000 } }, {
      before: (app: FastifyInstance) => { app.addHook('onRequest', async (_request, reply) => { response = reply.raw }) }
    })
    let line: LogLine | undefined

    await assertOnTime(300, async () => {
      const client = await connect(t, proxy.port, { keep: false })
      client.socket.pause()
      client.write(get)
      // The last moment at which the proxy got rid of something, at the latest.
      let movedAt = performance.now()
      let before = movedAt
      let unread = -1
      const watch = setInterval(() => {
        const now = performance.now()
        if (response !== undefined && response.writableLength !== unread) {
          unread = response.writableLength
          movedAt = before
        }
        before = now
      }, 1)
      line = await proxy.line()
      const ms = performance.now() - movedAt
      clearInterval(watch)
      client.socket.destroy()
      return ms
    })

    assert.deepEqual(
      { status: line?.['status'], error: line?.['error'], level: line?.level, aborted: line?.['aborted'] },
      { status: 499, error: 'client_write_timeout', level: 20, aborted: true }
    )
    await upstream.idle()
  })
}

test('a client that reads slowly, but reads, is not cut off', (t) => fairly(40, async () => {
  const size = 24 * 1024 * 1024
  const upstream = await origin(t, (_req, res) => { res.end(Buffer.alloc(size)) })
  const proxy = await startSick(t, upstream.url, { timeouts: { write: 250, idle: 250 } })
  const client = await connect(t, proxy.port, { keep: false })
  let received = 0
  client.socket.on('data', (chunk) => { received += chunk.length })
  client.write(get)

  // In bursts, with pauses that are shorter than the timeout.
  while (received < size && !client.socket.destroyed) {
    client.socket.pause()
    await sleep(150)
    const enough = received + 3 * 1024 * 1024
    client.socket.resume()
    while (received < Math.min(enough, size) && !client.socket.destroyed) await sleep(1)
  }

  assert.ok(received >= size)
  assert.equal((await proxy.line())['error'], '')
}))
