import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fairly } from '../helpers/fair.ts'
import { start } from '../helpers/proxy.ts'
import { Bell } from '../helpers/until.ts'
import { text, tunnel, webSocket, webSocketOrigin } from '../helpers/websocket.ts'

test('passes FIN on as FIN in each direction, and the other direction stays open', async (t) => {
  const { client, upstream, origin } = await tunnel(t)

  client.write('last words')
  client.end()
  await upstream.wire.bell.until('the end', () => upstream.wire.over)
  assert.deepEqual([text(upstream.wire), upstream.wire.clean], ['last words', true])
  upstream.socket.write('still listening?')
  await client.until('still listening?')
  upstream.socket.end('goodbye')

  await client.until('goodbye')
  assert.equal((await client.closed).clean, true)
  await origin.idle()
})

test('passes the upstream’s FIN on, and what the client says afterwards', async (t) => {
  const { client, upstream, origin } = await tunnel(t)

  upstream.socket.end('that was all')
  await client.until('that was all')
  client.write('but I have more')
  await upstream.wire.bell.until('the rest', () => text(upstream.wire) === 'but I have more')
  client.end()

  assert.equal((await client.closed).clean, true)
  await origin.idle()
})

test('resets one end when the other is reset, so that nobody takes it for an orderly end', async (t) => {
  const { client, upstream, origin, proxy } = await tunnel(t)
  upstream.socket.resetAndDestroy()
  assert.equal((await client.closed).clean, false)
  await origin.idle()
  const line = await proxy.line()
  assert.deepEqual([line['error'], line['phase'], line['closedBy'], line['status'], line.level], ['connection_terminated', 'upgrade', 'upstream', 101, 40])
})

test('a client that resets is nobody’s failure, and the upstream is reset', async (t) => {
  const { client, upstream, origin, proxy } = await tunnel(t)
  client.reset()
  await origin.idle()
  assert.equal(upstream.wire.clean, false)
  const line = await proxy.line()
  assert.deepEqual([line['error'], line['closedBy'], line.level], ['', 'client', 30])
})

test('reads each end only as fast as the other takes it', async (t) => {
  for (const side of ['client', 'upstream'] as const) {
    const { client, upstream } = await tunnel(t)
    const [reader, writer] = side === 'client' ? [client.socket, upstream.socket] : [upstream.socket, client.socket]
    reader.pause()
    const chunk = Buffer.alloc(2 ** 20, 'x')
    let sent = 0
    // Sockets' buffers on loopback hold some MiB each; a proxy that reads on would take all of it.
    // One that is only slow has taken all of it in a while: then there is more.
    while (writer.writableLength === 0) {
      while (writer.writableLength === 0 && sent < 512) {
        writer.write(chunk)
        sent++
        await new Promise((resolve) => { setImmediate(resolve) })
      }
      assert.ok(sent < 512, 'it never stopped reading')
      for (let before = -1; before !== writer.bytesWritten - writer.writableLength;) {
        before = writer.bytesWritten - writer.writableLength
        await new Promise((resolve) => { setTimeout(resolve, 100) })
      }
    }
    const wire = side === 'client' ? client : upstream.wire
    const total = sent * chunk.length
    const before = wire.received.length
    const bell = new Bell()
    reader.on('data', () => { bell.ring() }).resume()
    await bell.until('the rest', () => wire.received.length >= total, 30_000)
    assert.ok(before < total, 'nothing was held back')
    client.reset()
  }
})

test('closes a tunnel that is silent for too long, in the words of WebSocket; every byte counts as a sign of life', (t) => fairly(80, async () => {
  const upstream = await webSocketOrigin(t)
  const proxy = await start(t, { upstream: upstream.url, websocket: { idleTimeout: 300 } })
  const client = await webSocket(t, proxy.url)
  const startedAt = performance.now()
  for (let count = 0; count < 5; count++) {
    await new Promise((resolve) => { setTimeout(resolve, 100) })
    client.socket.send('ping')
    await client.next()
  }
  const lastAt = performance.now()

  assert.equal((await client.closed).code, 1001)

  assert.ok(performance.now() - lastAt > 270, 'too early')
  assert.ok(lastAt - startedAt > 300)
  assert.deepEqual(await upstream.until('a close', () => upstream.codes.length === 1 && upstream.codes), [1001])
  assert.equal((await proxy.line())['closedBy'], 'idle')
}))

test('cuts a silent tunnel whose ends do not answer a close', async (t) => {
  const { client, origin, proxy } = await tunnel(t, { websocket: { idleTimeout: 100 } })
  await client.until('\x88\x02\x03\xe9')
  await client.closed
  await origin.idle()
  await proxy.line()
  assert.deepEqual(proxy.app.proxy.tunnels(), [])
})

test('has no timeout but that one: neither total nor idle end a tunnel', async (t) => {
  const { client, upstream } = await tunnel(t, { timeouts: { total: 6000, idle: 100, head: 1000, attempt: 1000, write: 100 }, websocket: { idleTimeout: 0 } })
  await new Promise((resolve) => { setTimeout(resolve, 1200) })

  upstream.socket.write('still here')
  await client.until('still here')
})

test('is listed while it is open, and counts as active on its endpoint', async (t) => {
  const { client, upstream, origin, proxy } = await tunnel(t)
  const endpoint = proxy.app.proxy.snapshot!.upstreams.get(`http://127.0.0.1:${origin.port}`)!.state.endpoints[0]!
  client.write('12345')
  upstream.socket.write('123')
  await client.until('123')
  await upstream.wire.bell.until('all', () => text(upstream.wire) === '12345')

  const [open, ...others] = proxy.app.proxy.tunnels()

  assert.equal(others.length, 0)
  assert.deepEqual([open!.exchange.route.id, open!.endpoint, open!.closedBy, open!.endedAt, open!.exchange.bytesIn, open!.exchange.bytesOut], ['/*', endpoint, null, 0, 5, 3])
  assert.deepEqual([endpoint.active, endpoint.tunnels], [1, 1])
  assert.equal(proxy.app.proxy.stats().upstreams[`http://127.0.0.1:${origin.port}`]!.tunnels, 1)
  client.end()
  upstream.socket.end()
  await proxy.line()
  assert.deepEqual([proxy.app.proxy.tunnels(), endpoint.active, endpoint.tunnels], [[], 0, 0])
})

test('has one access line, when it is over, with its duration and bytes', async (t) => {
  const { client, upstream, proxy } = await tunnel(t)
  client.write('12345')
  upstream.socket.write('123')
  await client.until('123')
  await upstream.wire.bell.until('all', () => text(upstream.wire) === '12345')
  assert.equal(proxy.logs.filter(({ msg }) => msg === 'proxied').length, 0)
  await new Promise((resolve) => { setTimeout(resolve, 50) })
  client.end()
  upstream.socket.end()

  const line = await proxy.line()

  assert.deepEqual([line['status'], line['error'], line['path'], line['bytesIn'], line['bytesOut'], line['closedBy'], line['attempts']], [101, '', '/x', 5, 3, 'client', 1])
  assert.ok(line['durations'].tunnel >= 45 && line['durations'].total >= line['durations'].tunnel)
  await proxy.app.close()
  assert.equal(proxy.logs.filter(({ msg }) => msg === 'proxied').length, 1)
})
