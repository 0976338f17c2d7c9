import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { connect, type Client, type RawResponse } from '../helpers/client.ts'
import { answer, collectHead, cutBody, origin, rawOrigin, speak, type Step } from '../helpers/origin.ts'
import type { LogLine, Started } from '../helpers/proxy.ts'
import { assertOneLine, get, startSick } from './error-outcome.ts'

/*
 * Once the head is out no status can tell of a failure any more: what ends here must not look like an end (RFC 9112 8).
 */

type Upstream = (t: TestContext) => Promise<{ url: string, closed: (n: number) => Promise<void> }>

const cut = (...how: Parameters<typeof cutBody>): Upstream => (t) => origin(t, cutBody(...how) as Step)
/** A head, then a body once the head has gone through, then the end. */
const says = (head: string, body: string): Upstream => (t) => rawOrigin(t, async (socket) => {
  await collectHead(socket)
  socket.write(`HTTP/1.1 200 OK\r\n${head}\r\n\r\n`)
  setImmediate(() => socket.end(body, 'latin1'))
})

const cases: [what: string, upstream: Upstream][] = [
  ['closed before the first byte of its length', cut(1000, 0)],
  ['closed in the middle of its length', cut(100_000, 50_000)],
  ['reset in the middle of its length', cut(100_000, 50_000, 'reset')],
  ['closed between two chunks', cut(null, 5000)],
  ['reset between two chunks', cut(null, 5000, 'reset')],
  ['closed before the first chunk', cut(null, 0)],
  ['closed within a chunk', says('Transfer-Encoding: chunked', '5\r\nab')],
  ['closed before its trailers were whole', says('Transfer-Encoding: chunked', '2\r\nab\r\n0\r\nX-Sum: 1')],
  ['broken off by a chunk size that is none', says('Transfer-Encoding: chunked', '2\r\nab\r\nzz\r\n')],
  ['longer than its chunk', says('Transfer-Encoding: chunked', '2\r\nabc\r\n0\r\n\r\n')]
]

async function assertCut (proxy: Started, client: Client, response: RawResponse): Promise<LogLine> {
  assert.equal(response.status, 200)
  assert.equal(response.complete, false)
  await client.closed
  const line = await proxy.line()
  assert.deepEqual(
    { status: line['status'], error: line['error'], phase: line['phase'], level: line.level, aborted: line['aborted'] },
    { status: 200, error: 'http_response_incomplete', phase: 'responseBody', level: 40, aborted: false }
  )
  assert.equal(line['err'].code, 'FST_SLUICE_HTTP_RESPONSE_INCOMPLETE')
  // The proxy goes on, and the failure has told nobody else anything.
  assert.equal((await proxy.get('/well')).body, 'well')
  assertOneLine(proxy, line)
  return line
}

for (const [what, upstream] of cases) {
  test(`cuts the client off, never ends its response, when the upstream's body is ${what}`, async (t) => {
    const sick = await upstream(t)
    const proxy = await startSick(t, sick.url)
    const client = await connect(t, proxy.port)
    client.write(get)

    const line = await assertCut(proxy, client, await client.response())

    assert.equal(line['attempts'], 1)
    await sick.closed(1)
  })
}

test('resets the connection of an HTTP/1.0 client, to whom a close would be the end of the body', async (t) => {
  const upstream = await origin(t, cutBody(null, 5000))
  const proxy = await startSick(t, upstream.url)
  const client = await connect(t, proxy.port)
  client.write('GET /sick/x HTTP/1.0\r\nHost: proxy.test\r\n\r\n')

  const response = await client.response()

  assert.equal(response.headers['transfer-encoding'], undefined)
  await assertCut(proxy, client, response)
  assert.equal((await client.closed).clean, false)
})

test('answers 502 when the body breaks while a hook of the app holds the head back', async (t) => {
  const upstream = await rawOrigin(t, async (socket) => {
    await collectHead(socket)
    socket.end('HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhalf')
  })
  const proxy = await startSick(t, upstream.url, {
    onSend: async (_request: unknown, _reply: unknown, payload: unknown) => {
      await upstream.closed(1)
      return payload
    }
  })
  const client = await connect(t, proxy.port)
  client.write(get)

  const response = await client.response()

  assert.equal(response.status, 502)
  assert.equal(JSON.parse(response.body.toString()).code, 'FST_SLUICE_HTTP_RESPONSE_INCOMPLETE')
})

test('a body that breaks off behind the answer of a hook, which has taken its place, harms nobody', async (t) => {
  const upstream = await origin(t, cutBody(1000, 10))
  const proxy = await startSick(t, upstream.url, { onSend: async () => '{"own":true}' })
  const client = await connect(t, proxy.port)
  client.write(get)

  const response = await client.response()

  assert.equal(response.body.toString(), '{"own":true}')
  assert.equal(response.complete, true)
  await upstream.closed(1)
  assert.equal((await proxy.get('/well')).body, 'well')
})

test('takes no more of a body than its length, and the connection is not used again', async (t) => {
  const upstream = await rawOrigin(t, speak((n) => `HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n${n === 1 ? 'okHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil' : 'ok'}`))
  const proxy = await startSick(t, upstream.url)

  const first = await proxy.get('/sick/x')
  await upstream.closed(1)
  const second = await proxy.get('/sick/x')

  assert.deepEqual([first.status, first.body], [200, 'ok'])
  assert.deepEqual([second.status, second.body], [200, 'ok'])
  assert.equal(upstream.connections, 2)
})

test('passes a body that ends with its connection through to its end', async (t) => {
  const upstream = await rawOrigin(t, async (socket) => {
    await collectHead(socket)
    socket.end('HTTP/1.1 200 OK\r\n\r\nto the end')
  })
  const proxy = await startSick(t, upstream.url)

  const response = await proxy.get('/sick/x')

  assert.equal(response.body, 'to the end')
  assert.equal(response.aborted, false)
  assert.equal((await proxy.line())['error'], '')
})

test('breaks off a body that ends with a reset of its connection', async (t) => {
  const upstream = await rawOrigin(t, async (socket) => {
    await collectHead(socket)
    socket.write('HTTP/1.1 200 OK\r\n\r\nhalf')
    await proxied
    socket.resetAndDestroy()
  })
  let pass = (): void => {}
  const proxied = new Promise<void>((resolve) => { pass = resolve })
  const proxy = await startSick(t, upstream.url)
  const client = await connect(t, proxy.port)
  client.write(get)
  await client.until('half')
  pass()

  await assertCut(proxy, client, await client.response())
})

test('a client whose request was cut off for the upstream\'s fault is not told so by the answers behind it', async (t) => {
  const upstream = await origin(t, cutBody(1000, 10), answer(200, 'second'))
  const proxy = await startSick(t, upstream.url)
  const client = await connect(t, proxy.port)
  client.write(get + get)

  const first = await client.response()

  assert.equal(first.complete, false)
  await client.closed
  // Whatever was behind it in the pipeline is lost with the connection; bytes of it would be read as the rest of the first.
  assert.equal(client.received.includes('second'), false)
})
