import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import { raw, values } from '../helpers/client.ts'
import { answer, origin } from '../helpers/origin.ts'
import { start } from '../helpers/proxy.ts'
import type { ProxyOptions } from '../../types/index.ts'

const names = ['x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-forwarded-prefix', 'x-forwarded-port', 'forwarded']

type Claims = Record<string, string | undefined>

/** Which of the names the upstream saw, for a client that sent these lines. */
async function seen (t: TestContext, { lines = '', path = '/x', trustProxy, options = {} }: { lines?: string, path?: string, trustProxy?: boolean | string, options?: Partial<ProxyOptions> }): Promise<Claims> {
  const upstream = await origin(t, answer(200))
  const app = await start(t, { upstream: upstream.url, ...options } as ProxyOptions, { fastify: trustProxy === undefined ? {} : { trustProxy } })
  const response = await raw(t, app.port, `GET ${path} HTTP/1.1\r\nHost: client.example:8080\r\n${lines}\r\n`)
  assert.equal(response.status, 200)
  const claims: Claims = {}
  for (const name of names) {
    const found = values(upstream.requests[0]!.rawHeaders, name)
    assert.ok(found.length < 2, `${name} came ${found.length} times`)
    if (found.length === 1) claims[name] = found[0]
  }
  return claims
}

const forged = 'X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-Host: evil\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Prefix: /evil\r\nX-Forwarded-Port: 1\r\nForwarded: for=1.1.1.1\r\n'
const plain = { 'x-forwarded-for': '127.0.0.1', 'x-forwarded-host': 'client.example:8080', 'x-forwarded-proto': 'http' }

test('tells the upstream the address, host and protocol of the client', async (t) => {
  assert.deepEqual(await seen(t, {}), plain)
})

test('tells the upstream the prefix that it does not see', async (t) => {
  const options = { prefix: '/api', rewritePrefix: '/v1' }

  assert.deepEqual(await seen(t, { options, path: '/api/x' }), { ...plain, 'x-forwarded-prefix': '/api' })
  assert.deepEqual(await seen(t, { options: { prefix: '/api', rewritePrefix: '/api' }, path: '/api/x' }), plain)
})

test('puts its own view in the place of what an untrusted client claims', async (t) => {
  assert.deepEqual(await seen(t, { lines: forged }), plain)
  assert.deepEqual(await seen(t, { lines: forged, trustProxy: '10.0.0.0/8' }), plain)
})

test('drops what an untrusted client claims even where nothing is told', async (t) => {
  assert.deepEqual(await seen(t, { lines: forged, options: { forwarded: false } }), {})
})

test('drops a claim that is spelled in another case or on several lines', async (t) => {
  assert.deepEqual(await seen(t, { lines: 'x-FORWARDED-for: 1.1.1.1\r\nX-Forwarded-For: 2.2.2.2\r\nX-FORWARDED-USER: root\r\n' }), plain)
})

test('adds the address of a peer that the app trusts to what it says', async (t) => {
  const lines = 'X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-For: 10.0.0.2\r\nX-Forwarded-Host: shop.example\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Port: 443\r\n'

  for (const trustProxy of [true, '127.0.0.0/8']) {
    assert.deepEqual(await seen(t, { lines, trustProxy }), {
      'x-forwarded-for': '192.0.2.1, 10.0.0.2, 127.0.0.1',
      'x-forwarded-host': 'shop.example',
      'x-forwarded-proto': 'https',
      'x-forwarded-port': '443'
    })
  }
})

test('passes on what a trusted peer says where nothing is told', async (t) => {
  const claims = await seen(t, { lines: 'X-Forwarded-For: 192.0.2.1\r\n', trustProxy: true, options: { forwarded: false } })

  assert.deepEqual(claims, { 'x-forwarded-for': '192.0.2.1' })
})

test('speaks RFC 7239 where it is asked to', async (t) => {
  const own = 'for=127.0.0.1;host="client.example:8080";proto=http'

  assert.deepEqual(await seen(t, { lines: forged, options: { forwarded: 'forwarded' } }), { forwarded: own })
  assert.deepEqual(await seen(t, { lines: forged, options: { forwarded: 'both' } }), { ...plain, forwarded: own })
})

test('adds its own element behind those of a trusted peer', async (t) => {
  const lines = 'X-Forwarded-For: 192.0.2.1\r\nForwarded: for=192.0.2.1;proto=https\r\n'

  const { forwarded } = await seen(t, { lines, trustProxy: true, options: { forwarded: 'forwarded' } })

  assert.match(forwarded!, /^for=192\.0\.2\.1;proto=https, for=127\.0\.0\.1;host="client\.example:8080";proto=http$/)
})
