import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Forwarded } from '../../../../lib/data-plane/transform/forwarded.ts'
import { copyRequestHeaders } from '../../../../lib/data-plane/transform/hop-by-hop.ts'
import { exchangeWith, type RequestFields } from '../../samples.ts'

type Mode = ConstructorParameters<typeof Forwarded>[0]

/** The headers that tell the upstream who called, out of those that are sent. */
function told (mode: Mode, request: RequestFields = {}, prefix = ''): object {
  const headers = copyRequestHeaders(request.headers ?? {})
  new Forwarded(mode, prefix).apply({ method: 'GET', path: '/', headers }, exchangeWith(request))
  return headers
}

/** What Fastify says of a request whose peer it trusts: the peer first, then who is said to stand behind it. */
const trusted = ['192.0.2.7', '203.0.113.9']
const claims = {
  'x-forwarded-for': '203.0.113.9',
  'x-forwarded-proto': 'https',
  'x-forwarded-host': 'evil.example',
  'x-forwarded-port': '1',
  'x-forwarded-prefix': '/evil',
  'x-forwarded-anything': 'x',
  forwarded: 'for=203.0.113.9'
}
const x = { 'x-forwarded-for': '192.0.2.7', 'x-forwarded-proto': 'http', 'x-forwarded-host': 'shop.example' }
const standard = { forwarded: 'for=192.0.2.7;host=shop.example;proto=http' }

const modes: readonly (readonly [mode: Mode, told: object])[] = [['x-forwarded', x], ['forwarded', standard], ['both', { ...x, ...standard }], [false, {}]]

for (const [mode, expected] of modes) {
  test(`tells who called in mode ${mode}`, () => assert.deepEqual(told(mode), expected))

  test(`drops in mode ${mode} what a peer that is not trusted says of itself`, () => {
    assert.deepEqual(told(mode, { headers: { ...claims, accept: '*/*' } }), { accept: '*/*', ...expected })
    // trustProxy is set, and trusts others.
    assert.deepEqual(told(mode, { headers: claims, ips: ['192.0.2.7'] }), expected)
  })
}

test('adds to what a trusted peer says', () => {
  assert.deepEqual(told('both', { headers: claims, ips: trusted, protocol: 'https', host: 'shop.example:8443' }), {
    ...claims,
    'x-forwarded-for': '203.0.113.9, 192.0.2.7',
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'shop.example:8443',
    forwarded: 'for=203.0.113.9, for=192.0.2.7;host="shop.example:8443";proto=https'
  })
})

test('passes on what a trusted peer says when it adds nothing itself', () => {
  assert.deepEqual(told(false, { headers: claims, ips: trusted }), claims)
})

test('begins the chain for a trusted peer that has not', () => {
  assert.deepEqual(told('both', { ips: trusted }), { ...x, ...standard })
})

test('keeps the chain of a trusted peer though the client nominates the field in Connection', () => {
  const headers = { ...claims, connection: 'x-forwarded-for, forwarded' }
  const { 'x-forwarded-for': chain, forwarded } = told('both', { headers, ips: trusted }) as Record<string, string>
  assert.equal(chain, '203.0.113.9, 192.0.2.7')
  assert.equal(forwarded, 'for=203.0.113.9, for=192.0.2.7;host=shop.example;proto=http')
})

const addresses: readonly (readonly [remoteAddress: string | undefined, x: string, standard: string])[] = [
  ['192.0.2.7', '192.0.2.7', 'for=192.0.2.7'],
  ['::ffff:192.0.2.7', '192.0.2.7', 'for=192.0.2.7'],
  ['2001:db8::7', '2001:db8::7', 'for="[2001:db8::7]"'],
  ['::1', '::1', 'for="[::1]"'],
  [undefined, 'unknown', 'for=unknown'] // the client is gone already
]

for (const [remoteAddress, chain, element] of addresses) {
  test(`writes ${remoteAddress ?? 'no address'} as ${chain} and as ${element}`, () => {
    const headers = told('both', { remoteAddress }) as Record<string, string>
    assert.equal(headers['x-forwarded-for'], chain)
    assert.equal(headers['forwarded'], `${element};host=shop.example;proto=http`)
  })
}

const hosts: readonly (readonly [host: string, element: string])[] = [
  ['shop.example', 'host=shop.example'],
  ['shop.example:8080', 'host="shop.example:8080"'],
  ['[2001:db8::1]:80', 'host="[2001:db8::1]:80"'],
  ['a_b-c.example', 'host=a_b-c.example'],
  ["it's", 'host="it\'s"']
]

for (const [host, element] of hosts) {
  test(`writes the host ${host} as ${element}`, () => {
    const headers = told('both', { host }) as Record<string, string>
    assert.equal(headers['forwarded'], `for=192.0.2.7;${element};proto=http`)
    assert.equal(headers['x-forwarded-host'], host)
  })
}

test('says nothing of a host that an HTTP/1.0 client has not named', () => {
  assert.equal('x-forwarded-host' in told('x-forwarded', { host: '' }), false)
})

test('names the prefix that is taken off the path', () => {
  assert.deepEqual(told('x-forwarded', {}, '/api'), { ...x, 'x-forwarded-prefix': '/api' })
  assert.deepEqual(told('forwarded', {}, '/api'), standard)
  assert.equal((told('x-forwarded', { headers: claims, ips: trusted }, '/api') as Record<string, string>)['x-forwarded-prefix'], '/api')
})
