import assert from 'node:assert/strict'
import type { Server, TLSSocket } from 'node:tls'
import { test } from 'node:test'
import type { TlsOptions, UpstreamOptions } from '../../types/index.ts'
import { answer, echo, tlsOrigin, type Origin } from '../helpers/origin.ts'
import { start } from '../helpers/proxy.ts'
import { ca, client, otherCa, server, wrongName } from '../helpers/tls.ts'

function to (upstream: Origin, tls?: TlsOptions): UpstreamOptions {
  return { endpoints: [upstream.url], ...(tls !== undefined && { pool: { tls } }) }
}

/** What the upstream's TLS sockets say of their clients. */
function sockets (upstream: Origin): TLSSocket[] {
  const all: TLSSocket[] = [];
  (upstream.server as unknown as Server).on('secureConnection', (socket: TLSSocket) => { all.push(socket) })
  return all
}

const cases: [promise: string, tls: TlsOptions | undefined, identity: typeof server, status: number][] = [
  ['verifies certificates unless it is told otherwise', undefined, server, 502],
  ['trusts the authority that it is given', { ca }, server, 200],
  ['trusts each of several authorities', { ca: [otherCa, ca] }, server, 200],
  ['takes an authority in a buffer', { ca: Buffer.from(ca) }, server, 200],
  ['trusts no other authority beside the one that it is given', { ca: otherCa }, server, 502],
  ['refuses the certificate of another name', { ca }, wrongName, 502],
  ['checks the certificate against `servername`, where one is given', { ca, servername: 'other.test' }, wrongName, 200],
  ['refuses a certificate that is not for `servername`', { ca, servername: 'other.test' }, server, 502],
  ['takes any certificate with rejectUnauthorized: false', { rejectUnauthorized: false }, wrongName, 200],
  ['verifies with rejectUnauthorized: true', { rejectUnauthorized: true }, server, 502]
]

for (const [promise, tls, identity, status] of cases) {
  test(promise, async (t) => {
    const upstream = await tlsOrigin(t, identity, answer(200, 'secret'))
    const proxy = await start(t, { upstream: to(upstream, tls) })

    const response = await proxy.get('/x')

    assert.equal(response.status, status)
    // What is not trusted is not spoken to.
    assert.equal(upstream.hits, status === 200 ? 1 : 0)
    if (status !== 200) assert.equal(JSON.parse(response.body).code, 'FST_SLUICE_TLS_CERTIFICATE_ERROR')
  })
}

test('sends the name of the endpoint in SNI, `servername` in its place, and never an address', async (t) => {
  const upstream = await tlsOrigin(t, server, answer(200))
  const seen = sockets(upstream)
  const named = upstream.url.replace('127.0.0.1', 'localhost')
  const proxy = await start(t, {
    upstreams: {
      named: { endpoints: [named], pool: { tls: { ca } } },
      other: { endpoints: [named], pool: { tls: { rejectUnauthorized: false, servername: 'other.test' } } },
      address: { endpoints: [upstream.url], pool: { tls: { ca } } }
    },
    routes: ['named', 'other', 'address'].map((name) => ({ url: `/${name}`, upstream: name }))
  })

  for (const name of ['named', 'other', 'address']) assert.equal((await proxy.get(`/${name}`)).status, 200)

  assert.deepEqual(seen.map((socket) => (socket as TLSSocket & { servername: string | false }).servername), ['localhost', 'other.test', false])
})

test('shows its client certificate to an upstream that asks for one', async (t) => {
  const upstream = await tlsOrigin(t, { ...server, ca, requestCert: true }, answer(200, 'known'))
  const seen = sockets(upstream)
  const proxy = await start(t, {
    upstreams: { known: to(upstream, { ca, ...client }), unknown: to(upstream, { ca }) },
    routes: [{ url: '/known', upstream: 'known' }, { url: '/unknown', upstream: 'unknown' }]
  })

  assert.equal((await proxy.get('/known')).body, 'known')
  assert.equal(seen[0]!.getPeerCertificate().subject.CN, 'sluice client')
  assert.equal((await proxy.get('/unknown')).status, 502)
  assert.equal(upstream.hits, 1)
})

test('upstreams of one origin that trust different authorities share no connection', async (t) => {
  const upstream = await tlsOrigin(t, server, answer(200))
  const proxy = await start(t, {
    upstreams: {
      lax: to(upstream, { rejectUnauthorized: false }),
      strict: to(upstream),
      trusting: to(upstream, { ca }),
      misled: to(upstream, { ca: otherCa })
    },
    routes: ['lax', 'strict', 'trusting', 'misled'].map((name) => ({ url: `/${name}`, upstream: name }))
  })
  const statuses: number[] = []

  for (const name of ['lax', 'strict', 'trusting', 'misled', 'lax', 'strict']) statuses.push((await proxy.get(`/${name}`)).status)

  assert.deepEqual(statuses, [200, 502, 200, 502, 200, 502])
  assert.equal(upstream.hits, 3)
})

for (const host of ['original', 'upstream', 'fixed.test'] as const) {
  test(`requests of many hosts go over one TLS connection, with host: '${host}'`, async (t) => {
    const upstream = await tlsOrigin(t, server, echo())
    const seen = sockets(upstream)
    const proxy = await start(t, {
      upstreams: { one: { endpoints: [upstream.url.replace('127.0.0.1', 'localhost')], pool: { tls: { ca } } } },
      routes: [{ url: '/*', upstream: 'one', host }]
    })
    const hosts: string[] = []

    for (const name of ['a.test', 'b.test', 'c.test', 'a.test']) {
      const response = await proxy.get('/x', { host: name })
      assert.equal(response.status, 200)
      hosts.push(JSON.parse(response.body).headers.host)
    }

    const expected = { original: ['a.test', 'b.test', 'c.test', 'a.test'], upstream: Array(4).fill(`localhost:${upstream.port}`), 'fixed.test': Array(4).fill('fixed.test') }
    assert.deepEqual(hosts, expected[host])
    // What the connection is trusted for is not the client's to say.
    assert.equal(seen.length, 1)
    assert.equal(upstream.connections, 1)
  })
}
