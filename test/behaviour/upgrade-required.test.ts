import assert from 'node:assert/strict'
import test from 'node:test'
import { connect, raw } from '../helpers/client.ts'
import { connectHttp2 } from '../helpers/http2.ts'
import { rawOrigin, speak } from '../helpers/origin.ts'
import { type Extra, start } from '../helpers/proxy.ts'

const get = 'GET /x HTTP/1.1\r\nHost: x\r\n\r\n'
const required = (lines: string, body = 'why'): string => `HTTP/1.1 426 Upgrade Required\r\n${lines}Content-Length: ${body.length}\r\n\r\n${body}`

test('an upstream that requires another protocol is relayed with its name, and the connection goes on', async (t) => {
  const upstream = await rawOrigin(t, speak((n) => [
    required('Upgrade: TLS/1.2, HTTP/1.1\r\nConnection: upgrade\r\nContent-Type: text/plain\r\n'), required('Upgrade: HTTP/3.0\r\nUpgrade: TLS/1.3\r\nConnection: Upgrade\r\n', ''),
    // One that does not say, and a protocol that is only offered.
    required(''), 'HTTP/1.1 200 OK\r\nUpgrade: h2c\r\nConnection: upgrade\r\nContent-Length: 2\r\n\r\nok'
  ][n - 1]!))
  const app = await start(t, { upstream: upstream.url })
  const client = await connect(t, app.port)

  for (const [status, upgrade, connection] of [[426, 'TLS/1.2, HTTP/1.1', 'upgrade'], [426, 'HTTP/3.0, TLS/1.3', 'upgrade'], [426, undefined, 'keep-alive'], [200, undefined, 'keep-alive']] as const) {
    client.write(get)
    const response = await client.response()
    assert.deepEqual([response.status, response.headers['upgrade'], response.headers['connection'] ?? 'keep-alive'], [status, upgrade, connection])
  }
})

test('it keeps both where its connection ends', async (t) => {
  const upstream = await rawOrigin(t, (socket) => {
    socket.once('data', () => { socket.write(required('Upgrade: TLS/1.2\r\nConnection: upgrade\r\nContent-Type: text/plain\r\n')) })
  })
  const app = await start(t, { upstream: upstream.url })

  const { status, headers } = await raw(t, app.port, 'POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nbegin')

  assert.deepEqual([status, headers['upgrade'], headers['connection']], [426, 'TLS/1.2', 'upgrade, close'])
})

test('over HTTP/2 there is no Upgrade', async (t) => {
  const upstream = await rawOrigin(t, speak(required('Upgrade: TLS/1.2\r\nConnection: upgrade\r\n')))
  const app = await start(t, { upstream: upstream.url }, { fastify: { http2: true } as Extra['fastify'] & object })
  const client = await connectHttp2(t, app.url)

  const { status, headers, body } = await client.get('/x')

  assert.deepEqual([status, headers['upgrade'], headers['connection'], body], [426, undefined, undefined, 'why'])
})
