import assert from 'node:assert/strict'
import test from 'node:test'
import type { ServerResponse } from 'node:http'
import { connect } from '../helpers/client.ts'
import { fairly } from '../helpers/fair.ts'
import { origin } from '../helpers/origin.ts'
import { start } from '../helpers/proxy.ts'

const get = 'GET /x HTTP/1.1\r\nHost: x\r\n\r\n'

for (const headers of [{ 'content-type': 'text/plain' }, { 'content-length': '2' }, { 'content-type': 'text/event-stream' }]) {
  test(`sends the head on before the first byte of a body: ${Object.entries(headers).join()}`, async (t) => {
    let finish = (): void => {}
    const upstream = await origin(t, (_req, res) => {
      res.writeHead(200, { ...headers, 'x-head': 'here' })
      res.flushHeaders()
      finish = () => { res.end('ok') }
    })
    const app = await start(t, { upstream: upstream.url })
    const client = await connect(t, app.port)

    client.write(get)
    await client.until('x-head: here\r\n')
    await client.until('\r\n\r\n')
    finish()

    assert.equal((await client.response()).body.toString(), 'ok')
  })
}

test('sends each event on as it comes', async (t) => {
  let response: ServerResponse | undefined
  const upstream = await origin(t, (_req, res) => {
    res.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' })
    res.flushHeaders()
    response = res
  })
  const app = await start(t, { upstream: upstream.url })
  const client = await connect(t, app.port)

  client.write(get)
  await client.until('text/event-stream; charset=utf-8')
  for (let event = 1; event <= 20; event++) {
    response!.write(`id: ${event}\ndata: event ${event}\n\n`)
    await client.until(`data: event ${event}\n\n`)
  }
  response!.end()

  assert.equal((await client.response()).complete, true)
})

test('sends each event on to a client that reconnects with its last id', async (t) => {
  const upstream = await origin(t, (req, res) => {
    res.writeHead(200, { 'content-type': 'text/event-stream' })
    res.write(`data: after ${req.headers['last-event-id']}\n\n`)
  })
  const app = await start(t, { upstream: upstream.url })
  const client = await connect(t, app.port)

  client.write('GET /x HTTP/1.1\r\nHost: x\r\nLast-Event-ID: 41\r\nAccept: text/event-stream\r\n\r\n')
  await client.until('data: after 41\n\n')
  client.reset()

  await upstream.closed(1)
})

test('an event stream is not held to the total timeout once it has begun', (t) => fairly(20, async () => {
  let finish = (): void => {}
  const upstream = await origin(t, (_req, res) => {
    res.writeHead(200, { 'content-type': 'text/event-stream' })
    res.write('data: 1\n\n')
    finish = () => { res.end('data: 2\n\n') }
  })
  const app = await start(t, { upstreams: { main: { endpoints: [upstream.url], pool: { connectTimeout: 50 } } }, routes: [{ url: '/x', upstream: 'main', timeouts: { total: 150, head: 100 } }] })
  const client = await connect(t, app.port)

  client.write(get)
  await client.until('data: 1\n\n')
  // Longer than the total: that it is over is what must not show.
  await new Promise((resolve) => setTimeout(resolve, 300))
  finish()
  const response = await client.response()

  assert.equal(response.complete, true)
  assert.ok(response.body.toString().endsWith('data: 2\n\n'))
}))
