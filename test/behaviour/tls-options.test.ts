import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createSecureServer, type Http2SecureServer } from 'node:http2'
import { createServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import type { SecureContextOptions, TLSSocket, TlsOptions as ServerTls } from 'node:tls'
import type { PoolOptions, ProxyOptions, TlsOptions } from '../../types/index.ts'
import { connectProxy } from '../helpers/connect-proxy.ts'
import { start, type Started } from '../helpers/proxy.ts'
import { ca, client, clientPfx, encryptedKey, passphrase, server as identity } from '../helpers/tls.ts'

type Protocol = NonNullable<PoolOptions['protocol']>

/** An upstream over TLS that answers with what the handshake told of the client; for both protocols. */
async function asking (t: TestContext, protocol: Protocol, options: SecureContextOptions & ServerTls = {}): Promise<{ port: number, names: unknown[] }> {
  const names: unknown[] = []
  const settings = { ...identity, ca, ...options }
  const server: Http2SecureServer | ReturnType<typeof createServer> = protocol === 'h2' ? createSecureServer(settings) : createServer(settings)
  server.on('tlsClientError', () => {})
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => { sockets.add(socket) })
  server.on('secureConnection', (socket: TLSSocket & { servername?: unknown }) => { names.push(socket.servername) })
  server.on('request', (request: { socket: TLSSocket, stream?: { session: { socket: TLSSocket } } }, response: { end (text: string): void }) => {
    const socket = request.stream?.session.socket ?? request.socket
    response.end(JSON.stringify({ name: socket.getPeerCertificate()?.subject?.CN ?? null, version: socket.getProtocol(), cipher: socket.getCipher().name }))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { port: (server.address() as AddressInfo).port, names }
}

function to (t: TestContext, url: string, protocol: Protocol, tls: TlsOptions): Promise<Started> {
  return start(t, {
    upstreams: { a: { endpoints: [url], pool: { protocol, tls }, health: { interval: 60_000, waitForHealthy: 5000, fall: 1 } } },
    routes: [{ url: '/*', upstream: 'a' }]
  })
}

const identities: readonly (readonly [what: string, tls: TlsOptions])[] = [
  ['a key', client],
  ['an encrypted key with its passphrase', { cert: client.cert, key: encryptedKey, passphrase }],
  ['PKCS#12 data', { pfx: clientPfx, passphrase }],
  ['PKCS#12 data as a binary string', { pfx: clientPfx.toString('latin1'), passphrase }]
]

for (const protocol of ['http1', 'h2'] as const) {
  for (const [what, tls] of identities) {
    test(`shows its client certificate from ${what} (${protocol}), health checks included`, async (t) => {
      const { port } = await asking(t, protocol, { requestCert: true, rejectUnauthorized: true })
      const proxy = await to(t, `https://localhost:${port}`, protocol, { ca, ...tls })

      const response = await proxy.get('/')

      assert.equal(response.status, 200, response.body)
      assert.equal(JSON.parse(response.body).name, 'sluice client')
      assert.equal(proxy.app.proxy.stats().upstreams['a']!.endpoints[0]!.health, 'healthy')
    })
  }

  test(`speaks no version of TLS below minVersion (${protocol})`, async (t) => {
    const old = await asking(t, protocol, { maxVersion: 'TLSv1.2' })
    const proxy = await to(t, `https://localhost:${old.port}`, protocol, { ca, minVersion: 'TLSv1.3' })
    const lax = await to(t, `https://localhost:${old.port}`, protocol, { ca, minVersion: 'TLSv1.2' })

    const refused = await proxy.get('/')

    assert.equal(refused.status, 502)
    assert.match(JSON.parse(refused.body).code, /^FST_SLUICE_TLS_(ALERT_RECEIVED|PROTOCOL_ERROR)$/)
    assert.equal(proxy.app.proxy.stats().upstreams['a']!.endpoints[0]!.health, 'unhealthy')
    assert.equal(JSON.parse((await lax.get('/')).body).version, 'TLSv1.2')
  })

  test(`offers the ciphers that it is given (${protocol})`, async (t) => {
    const { port } = await asking(t, protocol)
    const proxy = await to(t, `https://localhost:${port}`, protocol, { ca, ciphers: 'TLS_CHACHA20_POLY1305_SHA256' })

    assert.equal(JSON.parse((await proxy.get('/')).body).cipher, 'TLS_CHACHA20_POLY1305_SHA256')
  })

  test(`an absolute name is sent in SNI, and checked, without its dot (${protocol})`, async (t) => {
    const { port, names } = await asking(t, protocol)
    // The proxy knows where it is, whatever the resolver of this machine makes of a dot.
    const { url, heads } = await connectProxy(t)
    const proxy = await start(t, {
      upstreams: {
        a: { endpoints: [`https://localhost.:${port}`], pool: { protocol, proxy: url, tls: { ca } }, health: { interval: 60_000, waitForHealthy: 5000 } },
        b: { endpoints: [`https://127.0.0.1:${port}`], pool: { protocol, tls: { ca, servername: 'localhost.' } } }
      },
      routes: [{ url: '/a', upstream: 'a' }, { url: '/b', upstream: 'b' }]
    })

    for (const path of ['/a', '/b']) assert.equal((await proxy.get(path)).status, 200)

    // One is that of the check.
    assert.deepEqual(names, ['localhost', 'localhost', 'localhost'])
    assert.equal(proxy.app.proxy.stats().upstreams['a']!.endpoints[0]!.health, 'healthy')
    // Everything else says it as it is written.
    assert.equal(proxy.app.proxy.upstream('a')!.state.endpoints[0]!.host, `localhost.:${port}`)
    assert.ok(heads[0]!.startsWith(`CONNECT localhost.:${port} `))
    assert.equal((await proxy.line())['endpoint'], `https://localhost.:${port}`)
  })
}

const where: readonly (readonly [what: string, path: string, options: (tls: TlsOptions) => ProxyOptions])[] = [
  ['an upstream', 'upstreams.a.pool.tls', (tls) => ({ upstreams: { a: { endpoints: ['https://a'], pool: { tls } } }, routes: [] })],
  ['the one-line form', 'upstream.pool.tls', (tls) => ({ upstream: { endpoints: ['https://a'], pool: { tls } } })]
]

for (const [what, path, options] of where) {
  test(`key material that does not fit is refused at start, all of it at once, in ${what}`, async (t) => {
    await assert.rejects(start(t, options({ ca: 'x', cert: client.cert, key: encryptedKey, passphrase: 'hunter2', ciphers: 'NOPE' })), (error: Error & { problems: object[] }) => {
      assert.deepEqual(error.problems, [
        { path: `${path}.ca`, message: 'holds no certificate (PEM)' },
        { path: `${path}.key`, message: 'cannot be decrypted with `passphrase`' },
        { path: `${path}.ciphers`, message: "names 'NOPE', which OpenSSL does not know" }
      ])
      assert.doesNotMatch(error.message, /hunter2|BEGIN|MII/)
      return true
    })
  })
}

for (const [what, tls, path, message] of [
  ['an unknown version', { minVersion: 'TLSv1.1' }, 'minVersion', "must be one of 'TLSv1.2', 'TLSv1.3', not 'TLSv1.1'; did you mean 'TLSv1.2'?"],
  ['a passphrase that is a number', { ...client, passphrase: 12345678 }, 'passphrase', 'must be a string'],
  ['no ciphers', { ciphers: '' }, 'ciphers', 'must not be empty'],
  ['PKCS#12 data in a list', { pfx: [clientPfx], passphrase }, 'pfx', 'must be a buffer or a binary string, not an array'],
  ['an unknown option', { passPhrase: 'hunter2' }, 'passPhrase', "is not an option; did you mean 'passphrase'?"]
] as const) {
  test(`refuses ${what}`, async (t) => {
    const options = { upstream: { endpoints: ['https://a'], pool: { tls } } } as unknown as ProxyOptions
    await assert.rejects(start(t, options), ({ problems }: { problems: object[] }) => {
      assert.deepEqual(problems, [{ path: `upstream.pool.tls.${path}`, message }])
      return true
    })
  })
}
