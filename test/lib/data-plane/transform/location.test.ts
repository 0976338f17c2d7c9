import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type PrefixPair, RewriteLocation } from '../../../../lib/data-plane/transform/location.ts'
import type { Endpoint } from '../../../../types/model.ts'
import type { Outgoing } from '../../../../lib/model/exchange.ts'
import { attemptOf, endpointAt, exchangeWith, type EndpointFields } from '../../samples.ts'

interface Place {
  endpoint?: string
  fields?: EndpointFields & { origin?: string }
  /** The Host header that was sent, where it is not the endpoint's. */
  sentHost?: string
  /** What the upstream was told of the client's side. */
  told?: Record<string, string>
  /** The X-Forwarded-Prefix that came with the request. */
  received?: string
}

/** Of a class that knows URLs alone: an origin of another form is put in its place. */
function endpointFor (url: string, { origin, ...fields }: EndpointFields & { origin?: string } = {}): Endpoint {
  const endpoint = endpointAt(url, fields)
  return origin === undefined ? endpoint : Object.assign(endpoint, { origin })
}

function rewrite (location: string, pair: PrefixPair, { endpoint = 'http://10.0.0.1:3000', fields, sentHost, told = {}, received }: Place = {}): string {
  const exchange = exchangeWith(received === undefined ? {} : { headers: { 'x-forwarded-prefix': received } })
  exchange.last = attemptOf(exchange, { endpoint: endpointFor(endpoint, fields) })
  exchange.outgoing = { headers: { ...told, ...sentHost !== undefined && { host: sentHost } } } as unknown as Outgoing
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

/** As the gateway tells it for a client that asks for http://gw.test under the route's prefix. */
const telling = (prefix: string, more: Record<string, string> = {}): Place => ({
  told: { 'x-forwarded-proto': 'http', 'x-forwarded-host': 'gw.test', ...prefix !== '' && { 'x-forwarded-prefix': prefix }, ...more }
})

const registry = { client: '/v2/team', upstream: '/v2' }
const nested = { client: '/a', upstream: '/a/a' }
const equal = { client: '/shop', upstream: '/shop' }

const built: readonly (readonly [pair: PrefixPair, location: string, seen: string, place: Place])[] = [
  // Of what was told: the prefix, the host with its scheme, or all of it.
  [stripped, '/api/x?a#b', '/api/x?a#b', telling('/api')], [stripped, '/api', '/api', telling('/api')], [stripped, '/api?a', '/api?a', telling('/api')],
  [stripped, '/apix', '/api/apix', telling('/api')], [stripped, '/API/x', '/api/API/x', telling('/api')],
  [stripped, 'http://gw.test/api/x', '/api/x', telling('/api')], [stripped, 'http://gw.test/x?a=http://gw.test/x', '/api/x?a=http://gw.test/x', telling('/api')], [stripped, 'http://gw.test', '/api/', telling('/api')],
  [stripped, 'HTTP://GW.test:80/x', '/api/x', telling('/api')], [stripped, 'http://gw.test:/x', '/api/x', telling('/api')], [stripped, '//gw.test/x', '/api/x', telling('/api')],
  [stripped, 'http://gw.test/x', '/api/x', telling('/api', { 'x-forwarded-host': 'GW.TEST:80' })], [stripped, 'https://gw.test/x', '/api/x', telling('/api', { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'gw.test:443' })],
  [stripped, 'https://gw.test:8443/x', '/api/x', telling('/api', { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'gw.test:8443' })],
  // Not what was told.
  ...['https://gw.test/x', 'http://gw.test:443/x', 'http://gw.test:8080/x', 'http://gw.test.evil.example/x', 'http://user@gw.test/x', 'ftp://gw.test/x'].map((location) => [stripped, location, location, telling('/api')] as const),
  [stripped, 'http://gw.test/x', 'http://gw.test/x', telling('/api', { 'x-forwarded-proto': 'https' })], [stripped, 'http://gw.test/x', 'http://gw.test/x', {}],
  // The Host that was sent goes with the scheme of the endpoint and with the one that was told.
  [stripped, 'https://Shop.Example/x', '/api/x', { ...telling('/api', { 'x-forwarded-proto': 'https' }), sentHost: 'shop.example' }], [stripped, 'http://shop.example/x', '/api/x', { ...telling('/api', { 'x-forwarded-proto': 'https' }), sentHost: 'SHOP.example:80' }],
  [stripped, 'https://10.0.0.1:3000/x', '/api/x', telling('/api', { 'x-forwarded-proto': 'https' })], [stripped, 'https://shop.example/x', 'https://shop.example/x', { ...telling('/api'), sentHost: 'shop.example' }],
  // By lists of a trusted peer, and by Forwarded.
  [stripped, 'https://outer.test/x', '/api/x', { told: { 'x-forwarded-proto': 'https, http', 'x-forwarded-host': 'outer.test, gw.test' } }], [stripped, 'http://gw.test/x', '/api/x', { told: { 'x-forwarded-host': 'gw.test' } }],
  [stripped, 'https://gw.test:8443/x', '/api/x', { told: { forwarded: 'for=1.1.1.1, for=2.2.2.2;Host="gw.test:8443";proto=https' } }], [stripped, 'https://evil/x', 'https://evil/x', { told: { forwarded: 'for="host=evil;proto=https"' } }],
  // By the port that a trusted peer told, in place of the host's.
  [stripped, 'http://gw.test:8443/x', '/api/x', telling('/api', { 'x-forwarded-port': '8443' })],
  [stripped, 'http://gw.test:8443/x', '/api/x', telling('/api', { 'x-forwarded-host': 'gw.test:1', 'x-forwarded-port': '8443' })],
  [stripped, 'http://gw.test:8443/x', 'http://gw.test:8443/x', telling('/api', { 'x-forwarded-port': '8443, 1' })],
  // The upstream keeps a path of its own under the public one.
  [registry, 'http://gw.test/v2/lib/uploads/1?state=a%2Fb', '/v2/team/lib/uploads/1?state=a%2Fb', telling('/v2/team')], [registry, '/v2/team/lib', '/v2/team/lib', telling('/v2/team')], [registry, '/v2/team/v2/lib', '/v2/team/lib', telling('/v2/team')],
  [registry, '/v2/teams', '/v2/team/teams', telling('/v2/team')], [registry, '/v2', '/v2/team', telling('/v2/team')], [registry, '/v3/lib', '/v3/lib', telling('/v2/team')],
  // Nested equal names: every path of the upstream's own begins like a public one.
  [nested, '/a/a/x', '/a/x', telling('/a')], [nested, '/a/x', '/a/x', telling('/a')], [nested, '/a/a/a/x', '/a/x', telling('/a')], [nested, '/a/a/a/x', '/a/a/x', {}], [nested, 'http://gw.test/a/a', '/a', telling('/a')], [nested, '/a', '/a', telling('/a')],
  // One path on both sides, by the prefix or by the endpoint's base path.
  [equal, '/shop/x', '/shop/x', telling('')], [equal, 'http://gw.test/shop/x', '/shop/x', telling('')], [equal, '/shop/shop/x', '/shop/shop/x', telling('')], [equal, '/login', '/login', telling('')], [equal, 'http://gw.test/login', 'http://gw.test/login', telling('')],
  [{ client: '/shop', upstream: '' }, '/shop/x', '/shop/x', { ...telling('/shop'), endpoint: 'http://a.example/shop' }], [{ client: '/shop', upstream: '' }, '/shop/shop/x', '/shop/x', { ...telling('/shop'), endpoint: 'http://a.example/shop' }],
  [{ client: '/shop', upstream: '' }, '/x', '/x', { ...telling('/shop'), endpoint: 'http://a.example/shop' }],
  [mapped, '/api/x', '/api/x', telling('/api')], [mapped, '/api/v2/x', '/api/x', telling('/api')], [mapped, '/api/base/v2/x', '/api/x', { ...telling('/api'), endpoint: 'http://a.example/base' }],
  [same, 'http://gw.test/x', '/x', telling('')], [same, 'http://gw.test/base/x', '/x', { ...telling(''), endpoint: 'http://a.example/base' }], [added, '/v2/x', '/x', telling('')], [added, 'http://gw.test/x', 'http://gw.test/x', telling('')],
  // The prefix of a peer in front of us, which comes in front of ours; and one of the options, which is all of it.
  [same, '/outer/x', '/outer/x', { ...telling('/outer'), received: '/outer' }], [stripped, '/outer/x', '/outer/api/x', { ...telling('/outer/'), received: '/outer/' }], [stripped, '/outer/api/x', '/outer/api/x', { ...telling('/outer/api'), received: '/outer/api' }],
  [stripped, '/public/x', '/public/x', telling('/public')], [stripped, '/x', '/api/x', telling('/public')], [stripped, '/a, /b/x', '/api/a, /b/x', telling('/a, /b')], [stripped, '/x', '/api/x', telling('//')],
  // Origins that have no authority.
  [stripped, 'http://localhost/x', '/api/x', { fields: { origin: 'unix:/run/app.sock', host: 'localhost' } }], [stripped, 'http://elsewhere/x', 'http://elsewhere/x', { fields: { origin: 'unix:/run/app.sock', host: 'localhost' } }],
  // What is left must be a path to a browser too, which takes tabs out.
  [added, '/v2/\t/evil.example', '/./\t/evil.example', {}], [stripped, 'http://gw.test//evil.example', '/api//evil.example', telling('/api')], [same, 'http://gw.test//evil.example', '/.//evil.example', telling('')], [stripped, '/api/../x', '/api/x', telling('/api')], [stripped, '/api/a/..//evil.example', '/api//evil.example', telling('/api')]
]

for (const [pair, location, seen, place] of [...rows, ...built]) {
  const where = place === undefined ? '' : ` of ${JSON.stringify(place)}`
  test(`shows '${location}'${where} as '${seen}' where '${pair.client}' stands for '${pair.upstream}'`, () => {
    assert.equal(rewrite(location, pair, place), seen)
  })
}

for (const [location, from, at, seen, pair = stripped] of [
  ['login', '/api', '/', '/api/login'], ['./login?a#b', '/api', '/', '/api/login?a#b'], ['..', '/api/x', '/x', '/api/'],
  ['../../x', '/api/a/b', '/a/b', '/api/x'], ['../x', '/api/a/b', '/v2/a/b', '../x', mapped], ['../../x', '/api/a/b', '/v2/a/b', '../../x', mapped],
  ['login', '/api/x', '/x', 'login'], ['../x', '/api/a/b', '/a/b?c', '../x'], ['x:y', '/api', '/', 'x:y'], ['?a', '/api', '/', '?a'],
  ['#a', '/api', '/', '#a'], ['', '/api', '/', ''], ['\\\\evil.example', '/api', '/', '\\\\evil.example'], ['./\\evil.example', '/api', '/', '/api//evil.example'],
  ['login', '/x', '/x', 'login', same], ['../x', '/x', '/x', '../x', same]
] as const) {
  test(`shows '${location}' from '${at}' as '${seen}' to a client at '${from}'`, () => {
    const exchange = exchangeWith()
    exchange.path = from
    exchange.last = attemptOf(exchange, { endpoint: endpointAt('http://10.0.0.1:3000') })
    exchange.outgoing = { path: at, headers: {} } as unknown as Outgoing
    const headers: Record<string, string> = { location }
    new RewriteLocation(pair).apply({ statusCode: 302, headers }, exchange)
    assert.equal(headers['location'], seen)
  })
}

test('no path is shown twice under its prefix: what has come back once stays as it is', () => {
  for (const [pair, location, , place] of [...rows, ...built]) {
    const once = rewrite(location, pair, place)
    if (!once.startsWith('/') || pair.client === '' || once.startsWith('/.')) continue
    if (pair === nested || pair.upstream.startsWith(pair.client)) continue
    assert.equal(rewrite(once, pair, place), once, `${location} is ${once}`)
  }
})

for (const [sent, seen] of [
  ['5; url=/x', '5; url=/api/x'], ['0;URL=http://10.0.0.1:3000/x?a=b', '0;URL=/api/x?a=b'], ['1.5 , url = "/api/x"', '1.5 , url = "/api/x"'], ["0; url='/x'", "0; url='/api/x'"],
  ['5', '5'], ['5; url=https://elsewhere.example/', '5; url=https://elsewhere.example/'], ['5; url=', '5; url='], ['soon; url=/x', 'soon; url=/x']
] as const) {
  test(`shows a Refresh of '${sent}' as '${seen}'`, () => {
    const exchange = exchangeWith()
    exchange.last = attemptOf(exchange)
    const headers: Record<string, string> = { refresh: sent }
    new RewriteLocation(stripped).apply({ statusCode: 200, headers }, exchange)
    assert.equal(headers['refresh'], seen)
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
