import assert from 'node:assert/strict'
import { test } from 'node:test'
import { promptly } from '../helpers/fair.ts'
import { start } from '../helpers/proxy.ts'
import { text, tunnel, webSocket, webSocketOrigin } from '../helpers/websocket.ts'

test('says goodbye at shutdown: 1001 to both ends, and the app closes as soon as they have answered', async (t) => {
  const upstream = await webSocketOrigin(t)
  const proxy = await start(t, { upstream: upstream.url, websocket: true })
  const clients = await Promise.all([1, 2, 3].map(() => webSocket(t, proxy.url)))

  assert.ok(await promptly(() => proxy.app.close()) < 1000)

  for (const client of clients) assert.equal((await client.closed).code, 1001)
  assert.deepEqual(await upstream.until('the closes', () => upstream.codes.length === 3 && upstream.codes), [1001, 1001, 1001])
  assert.deepEqual(proxy.logs.filter(({ msg }) => msg === 'proxied').map((line) => line['closedBy']), ['shutdown', 'shutdown', 'shutdown'])
})

test('at shutdown, a message under way is finished before the close frame', async (t) => {
  const { client, upstream, proxy } = await tunnel(t)
  upstream.socket.on('end', () => { upstream.socket.end() })
  upstream.socket.write(Buffer.from([0x82, 10, 1, 2, 3]))
  await client.until('\x82\x0a\x01\x02\x03')
  const closing = proxy.app.close()
  // To the upstream nothing was under way.
  await upstream.wire.bell.until('the close frame', () => text(upstream.wire) === '\x88\x82\0\0\0\0\x03\xe9')
  assert.ok(!client.received.includes(Buffer.from([0x88])))

  // The rest, and one more message, which comes too late.
  upstream.socket.write(Buffer.concat([Buffer.from([4, 5, 6, 7, 8, 9, 10]), Buffer.from([0x81, 4, 0x6c, 0x61, 0x74, 0x65]), Buffer.from([0x88, 2, 3, 0xe9])]))

  await client.until('\x04\x05\x06\x07\x08\x09\x0a\x88\x02\x03\xe9')
  client.write(Buffer.from([0x88, 0x82, 1, 2, 3, 4, 0x02, 0xeb]))
  await closing
  assert.ok(!client.received.includes('late'))
  assert.equal((await client.closed).clean, true)
})

test('at shutdown, ends that do not answer are cut after two seconds', async (t) => {
  const { client, proxy, origin } = await tunnel(t)
  const startedAt = performance.now()

  const took = await promptly(() => proxy.app.close())

  assert.ok(performance.now() - startedAt > 1900 && took < 3000, `${took} ms`)
  await client.closed
  await origin.idle()
})

test('a tunnel that opens during the shutdown is closed at once', async (t) => {
  let proceed = (): void => {}
  const waiting = new Promise<void>((resolve) => { proceed = resolve })
  let isClosing = false
  const upstream = await webSocketOrigin(t)
  const proxy = await start(t, { routes: [{ url: '/*', upstream: upstream.url, websocket: true, onSend: async () => { if (isClosing) await waiting } }] })
  isClosing = true
  const opening = webSocket(t, proxy.url)
  await upstream.until('the handshake', () => upstream.requests.length === 1)

  const closing = proxy.app.close()
  proceed()
  const client = await opening

  assert.equal((await client.closed).code, 1001)
  await closing
})
