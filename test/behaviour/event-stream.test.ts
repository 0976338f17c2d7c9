import assert from 'node:assert/strict'
import test from 'node:test'
import { connect } from '../helpers/client.ts'
import { fairly } from '../helpers/fair.ts'
import { drip, origin } from '../helpers/origin.ts'
import { start } from '../helpers/proxy.ts'

const get = 'GET /x HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n'

// Parameters, case and spaces are the upstream's to choose (RFC 9110 8.3.1).
for (const type of ['text/event-stream', 'text/event-stream; charset=utf-8', 'text/event-stream;charset=UTF-8;x="y"', 'Text/Event-Stream ; charset=utf-8']) {
  test(`events of ${type} come one by one, and outlive the total timeout`, (t) => fairly(40, async () => {
    const upstream = await origin(t, drip(['data: 1\n\n', 'data: 2\n\n', 'data: 3\n\n'], 250, { 'content-type': type }))
    const app = await start(t, { upstream: { endpoints: [upstream.url], pool: { connectTimeout: 100 } }, timeouts: { total: 320, head: 200 } })
    const client = await connect(t, app.port)

    client.write(get)
    await client.until('data: 1\n\n')
    assert.ok(!client.received.includes('data: 2'))
    await client.until('data: 2\n\n')
    assert.ok(!client.received.includes('data: 3'))
    const { headers, body, complete } = await client.response()

    assert.deepEqual([headers['content-type'], headers['content-length'], body.toString(), complete], [type, undefined, 'data: 1\n\ndata: 2\n\ndata: 3\n\n', true])
  }))
}

test('the head of a stream whose first event is long in coming goes out at once', async (t) => {
  const upstream = await origin(t, (_req, res) => { res.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders() })
  const app = await start(t, { upstream: upstream.url })
  const client = await connect(t, app.port)

  client.write(get)
  await client.until('\r\n\r\n')

  assert.match(client.received.toString('latin1'), /^HTTP\/1\.1 200 OK\r\n/)
})

test('what only begins like an event stream is none: the total timeout holds', async (t) => {
  const upstream = await origin(t, drip(['1', '2', '3', '4'], 150, { 'content-type': 'text/event-streams' }))
  const app = await start(t, { upstream: { endpoints: [upstream.url], pool: { connectTimeout: 100 } }, timeouts: { total: 320, head: 200 } })
  const client = await connect(t, app.port)

  client.write(get)

  assert.equal((await client.response()).complete, false)
})

test('a client that leaves an event stream takes the upstream connection along, and a silent upstream is given up', async (t) => {
  const upstream = await origin(t, drip(['data: 1\n\n', 'data: 2\n\n'], 60_000, { 'content-type': 'text/event-stream; charset=utf-8' }))
  const app = await start(t, { upstream: upstream.url, timeouts: { idle: 400 } })
  const leaving = await connect(t, app.port)
  const staying = await connect(t, app.port)

  leaving.write(get)
  await leaving.until('data: 1')
  leaving.socket.destroy()
  await upstream.closed(1)
  staying.write(get)
  const { complete } = await staying.response()
  await upstream.closed(2)

  assert.equal(complete, false)
})

test('a client that stops reading holds an upstream connection no longer than timeouts.write', async (t) => {
  const upstream = await origin(t, (_req, res) => {
    res.writeHead(200, { 'content-type': 'text/event-stream' })
    const event = `data: ${'x'.repeat(65_536)}\n\n`
    const more = (): void => {
      while (!res.destroyed && res.write(event)) { /* until nobody takes any more */ }
      res.once('drain', more)
    }
    more()
  })
  const app = await start(t, { upstream: upstream.url, timeouts: { write: 300 } })
  const client = await connect(t, app.port, { keep: false })

  client.write(get)
  client.socket.pause()
  const line = await app.line()
  await upstream.closed(1)

  assert.deepEqual([line['error'], line['status']], ['client_write_timeout', 499])
})
