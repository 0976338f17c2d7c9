import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type PrefixPair, RewriteLocation } from '../../../../lib/data-plane/transform/location.ts'
import type { Outgoing } from '../../../../lib/model/exchange.ts'
import { attemptOf, endpointAt, exchangeWith, type EndpointFields } from '../../samples.ts'

interface Place {
  endpoint?: string
  fields?: EndpointFields
  /** The Host header that was sent, where it is not the endpoint's. */
  sentHost?: string
}

function rewrite (location: string, pair: PrefixPair, { endpoint = 'http://10.0.0.1:3000', fields, sentHost }: Place = {}): string {
  const exchange = exchangeWith()
  exchange.last = attemptOf(exchange, { endpoint: endpointAt(endpoint, fields) })
  if (sentHost !== undefined) exchange.outgoing = { headers: { host: sentHost } } as unknown as Outgoing
  const headers: Record<string, string | string[]> = { location, 'content-location': location }
  new RewriteLocation(pair).apply({ statusCode: 302, headers }, exchange)
  assert.equal(headers['content-location'], headers['location'])
  return headers['location'] as string
}

const same = { client: '', upstream: '' }
const stripped = { client: '/api', upstream: '' }
const mapped = { client: '/api', upstream: '/v2' }
const added = { client: '', upstream: '/v2' }

const rows: readonly (readonly [pair: PrefixPair, location: string, seen: string, place?: Place])[] = [
  [same, '/x', '/x'], [same, '/x?a=b#c', '/x?a=b#c'], [same, 'x/y', 'x/y'], [same, '', ''], [same, '?a', '?a'], [same, '#a', '#a'], [same, '../x', '../x'],
  [same, 'http://10.0.0.1:3000/x?a#b', '/x?a#b'], [same, 'HTTP://10.0.0.1:3000/x', '/x'], [same, '//10.0.0.1:3000/x', '/x'],
  [same, 'http://10.0.0.1:3000', '/'], [same, 'http://10.0.0.1:3000?a', '/?a'], [same, 'http://10.0.0.1:3000#a', '/#a'],
  // Elsewhere, or something else.
  ...['http://10.0.0.1:3001/x', 'http://10.0.0.1/x', 'https://10.0.0.1:3000/x', 'http://10.0.0.1:3000.evil.example/x', 'http://user@10.0.0.1:3000/x', '//evil.example/x',
    'https://login.example/?next=http://10.0.0.1:3000/', 'mailto:a@b', 'http:/x', 'ftp://10.0.0.1:3000/x'].map((location) => [same, location, location] as const),
  // Under the prefix of the route, and its part of the upstream only.
  [stripped, '/x', '/api/x'], [stripped, '/', '/api/'], [stripped, '/x?a#b', '/api/x?a#b'], [stripped, 'http://10.0.0.1:3000/x', '/api/x'], [stripped, 'http://10.0.0.1:3000', '/api/'], [stripped, '//', '//'], [stripped, 'x', 'x'],
  [mapped, '/v2/x', '/api/x'], [mapped, '/v2', '/api'], [mapped, '/v2/', '/api/'], [mapped, '/v2?a', '/api?a'], [mapped, '/v2#a', '/api#a'],
  [mapped, '/v1/x', '/v1/x'], [mapped, '/v22/x', '/v22/x'], [mapped, '/', '/'], [mapped, 'http://10.0.0.1:3000/v2/x', '/api/x'], [mapped, 'http://10.0.0.1:3000/v1/x', 'http://10.0.0.1:3000/v1/x'],
  [added, '/v2/x', '/x'], [added, '/v2', '/'], [added, '/v2/', '/'], [added, '/v2?a', '/?a'], [added, '/v2#a', '/#a'], [added, '/x', '/x'],
  // The endpoint's own base path is in front of everything.
  [same, '/base/x', '/x', { endpoint: 'http://a.example/base/' }], [same, '/base', '/', { endpoint: 'http://a.example/base' }], [same, '/x', '/x', { endpoint: 'http://a.example/base' }],
  [mapped, '/base/v2/x', '/api/x', { endpoint: 'http://a.example/base' }], [mapped, '/v2/x', '/v2/x', { endpoint: 'http://a.example/base' }],
  // By its origin, by the Host that the options give it, and by the Host that was sent.
  [same, 'http://A.example/x', '/x', { endpoint: 'http://a.example' }], [same, 'http://a.example:80/x', '/x', { endpoint: 'http://a.example' }],
  [same, 'https://a.example:443/x', '/x', { endpoint: 'https://a.example' }], [same, '//a.example:443/x', '/x', { endpoint: 'https://a.example' }],
  [same, 'http://a.example:443/x', 'http://a.example:443/x', { endpoint: 'http://a.example' }], [same, 'http://a.example/x', 'http://a.example/x', { endpoint: 'https://a.example' }],
  [same, 'http://[2001:db8::1]:3000/x', '/x', { endpoint: 'http://[2001:db8::1]:3000' }],
  [mapped, 'http://internal.example/v2/x', '/api/x', { fields: { host: 'internal.example' } }],
  [mapped, 'http://shop.example/v2/x', '/api/x', { sentHost: 'shop.example' }], [mapped, 'http://shop.example/v2/x', 'http://shop.example/v2/x', { sentHost: 'other.example' }],
  // What is left when something is cut off must not become an authority: a client's path would choose where it leads.
  [same, 'http://10.0.0.1:3000//evil.example/x', '/.//evil.example/x'], [same, '//10.0.0.1:3000//evil.example', '/.//evil.example'],
  [added, '/v2//evil.example/', '/.//evil.example/'], [added, '/v2/\\evil.example/', '/./\\evil.example/'],
  [same, '/base//evil.example', '/.//evil.example', { endpoint: 'http://a.example/base' }],
  [stripped, 'http://10.0.0.1:3000//evil.example', '/api//evil.example'],
  // Dots climb no further than the upstream's own root.
  [stripped, '/../x?a#b', '/api/x?a#b'], [stripped, '/a/%2E./x', '/api/x'], [stripped, '/a/.', '/api/a/'], [stripped, '/x?a=/../b', '/api/x?a=/../b'], [stripped, '/.well-known/..x', '/api/.well-known/..x'],
  [mapped, '/v2/a/../x', '/api/x'], [mapped, '/v2/../x', '/v2/../x'], [same, '/..//evil.example', '/.//evil.example']
]

for (const [pair, location, seen, place] of rows) {
  const where = place === undefined ? '' : ` of ${JSON.stringify(place)}`
  test(`shows '${location}'${where} as '${seen}' where '${pair.client}' stands for '${pair.upstream}'`, () => {
    assert.equal(rewrite(location, pair, place), seen)
  })
}

test('resolves for the client to the host that it asked, whatever path the upstream was led to', () => {
  for (const [pair, location, , place] of rows.slice(-6)) {
    assert.equal(new URL(rewrite(location, pair, place), 'https://shop.example/x').host, 'shop.example')
  }
})

test('adds no header that was not there, and leaves several of them alone', () => {
  const exchange = exchangeWith()
  exchange.last = attemptOf(exchange)
  for (const headers of [{}, { location: ['/a', '/b'], 'content-location': ['/c', '/d'] }]) {
    const before = structuredClone(headers)
    new RewriteLocation(stripped).apply({ statusCode: 200, headers }, exchange)
    assert.deepEqual(headers, before)
  }
})
