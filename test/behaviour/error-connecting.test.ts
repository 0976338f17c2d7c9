import assert from 'node:assert/strict'
import { lookup } from 'node:dns/promises'
import { once } from 'node:events'
import { test, type TestContext } from 'node:test'
import type { UpstreamOptions } from '../../types/index.ts'
import { connect } from '../helpers/client.ts'
import { answer, blackhole, hang, origin, rawOrigin, refusedPort, tlsOrigin } from '../helpers/origin.ts'
import { ca, expired, otherCa, server, wrongName } from '../helpers/tls.ts'
import { assertAnswer, assertClean, assertFails, assertLine, assertOneLine, get, startSick, type Row } from './error-outcome.ts'

interface Case extends Row {
  promise: string
  upstream: (t: TestContext) => Promise<UpstreamOptions>
  /** What the log has to say of the cause. */
  cause: RegExp
}

const connecting = { phase: 'connect' } as const

const cases: Case[] = [
  {
    ...connecting,
    promise: 'answers 502 connection_refused for a port that nobody listens on',
    status: 502,
    error: 'connection_refused',
    upstream: async () => ({ endpoints: [`http://127.0.0.1:${await refusedPort()}`] }),
    cause: /ECONNREFUSED/
  },
  {
    ...connecting,
    promise: 'answers 504 connection_timeout for an address that never answers',
    status: 504,
    error: 'connection_timeout',
    upstream: async (t) => ({ endpoints: [(await blackhole(t)).url], pool: { connectTimeout: 100 } }),
    cause: /no connection within 100 ms/
  },
  {
    ...connecting,
    promise: 'answers 504 connection_timeout for a TLS handshake that never ends',
    status: 504,
    error: 'connection_timeout',
    upstream: async (t) => {
      const { port } = await rawOrigin(t, () => {})
      return { endpoints: [`https://127.0.0.1:${port}`], pool: { connectTimeout: 100 } }
    },
    cause: /no connection within 100 ms/
  },
  {
    ...connecting,
    promise: 'answers 502 tls_certificate_error for a certificate that has expired',
    status: 502,
    error: 'tls_certificate_error',
    upstream: async (t) => ({ endpoints: [(await tlsOrigin(t, expired, answer(200))).url], pool: { tls: { ca } } }),
    cause: /certificate has expired/
  },
  {
    ...connecting,
    promise: 'answers 502 tls_certificate_error for the certificate of another name',
    status: 502,
    error: 'tls_certificate_error',
    upstream: async (t) => ({ endpoints: [(await tlsOrigin(t, wrongName, answer(200))).url], pool: { tls: { ca } } }),
    cause: /127\.0\.0\.1 is not in the cert's list/
  },
  {
    ...connecting,
    promise: 'answers 502 tls_certificate_error for an authority that it was not told to trust',
    status: 502,
    error: 'tls_certificate_error',
    upstream: async (t) => ({ endpoints: [(await tlsOrigin(t, server, answer(200))).url], pool: { tls: { ca: otherCa } } }),
    cause: /unable to verify the first certificate/
  },
  {
    ...connecting,
    promise: 'answers 502 tls_protocol_error for an upstream that speaks plain text where TLS is expected',
    status: 502,
    error: 'tls_protocol_error',
    upstream: async (t) => {
      const { port } = await rawOrigin(t, (socket) => { socket.once('data', () => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n')) })
      return { endpoints: [`https://127.0.0.1:${port}`] }
    },
    cause: /wrong version number/
  },
  {
    ...connecting,
    promise: 'answers 502 tls_protocol_error for an upstream that resets the handshake',
    status: 502,
    error: 'tls_protocol_error',
    upstream: async (t) => {
      const { port } = await rawOrigin(t, (socket) => { socket.once('data', () => socket.resetAndDestroy()) })
      return { endpoints: [`https://127.0.0.1:${port}`] }
    },
    cause: /ECONNRESET/
  },
  {
    ...connecting,
    promise: 'answers 502 tls_protocol_error for an upstream that closes in the middle of the handshake',
    status: 502,
    error: 'tls_protocol_error',
    upstream: async (t) => {
      const { port } = await rawOrigin(t, (socket) => { socket.once('data', () => socket.end()) })
      return { endpoints: [`https://127.0.0.1:${port}`] }
    },
    cause: /disconnected before secure TLS connection/
  },
  {
    ...connecting,
    promise: 'answers 502 tls_alert_received for an upstream that refuses the handshake',
    status: 502,
    error: 'tls_alert_received',
    upstream: async (t) => {
      // A fatal alert, handshake_failure: no cipher, version or certificate in common.
      const { port } = await rawOrigin(t, (socket) => { socket.once('data', () => socket.end(Buffer.from([0x15, 3, 3, 0, 2, 2, 0x28]))) })
      return { endpoints: [`https://127.0.0.1:${port}`] }
    },
    cause: /alert handshake failure/
  }
]

for (const { promise, upstream, cause, ...row } of cases) {
  test(promise, async (t) => {
    const proxy = await startSick(t, await upstream(t))

    const line = await assertFails(t, proxy, row)

    assert.match(JSON.stringify(line['err']), cause)
    // Once more after the first, whatever the upstream is like: nothing was sent.
    assert.equal(line['attempts'], 2)
    assert.equal(line['upstreamStatus'], null)
  })
}

test('answers 502 dns_error for a name that does not exist, and 504 dns_timeout where nobody can tell', async (t) => {
  // RFC 6761 6.4: no resolver ever answers with an address. Whether one says so depends on the machine.
  const name = 'nobody.invalid'
  const { code } = await lookup(name).then(() => assert.fail(`${name} exists`), (error: NodeJS.ErrnoException) => error)
  const row = code === 'EAI_AGAIN' ? { status: 504, error: 'dns_timeout' } : { status: 502, error: 'dns_error' }
  const proxy = await startSick(t, { endpoints: [`http://${name}:8080`] })

  const line = await assertFails(t, proxy, { ...row, phase: 'connect' })

  assert.match(line['err'].message, new RegExp(`getaddrinfo ${code} ${name}`))
})

test('answers 503 queue_timeout to a request that found no free connection', async (t) => {
  const upstream = await origin(t, hang())
  const proxy = await startSick(t, { endpoints: [upstream.url], pool: { connections: 1 }, limits: { queueTimeout: 300 } })
  const first = await connect(t, proxy.port)
  first.write(get)
  await upstream.arrived(1)
  const startedAt = performance.now()

  const client = await connect(t, proxy.port)
  client.write(get)
  await once(client.socket, 'data')

  assert.ok(performance.now() - startedAt >= 300)
  const response = await client.response()
  const row: Row = { status: 503, error: 'queue_timeout', proxyStatus: 'connection_limit_reached', phase: 'select' }
  assertAnswer(response, row)
  const line = await proxy.line()
  assertLine(line, row)
  assert.equal(line['attempts'], 0)
  await assertClean(proxy, client, response)
  assertOneLine(proxy, line)
  assert.equal(upstream.hits, 1)
})
