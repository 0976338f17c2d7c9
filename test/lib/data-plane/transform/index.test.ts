import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type BehaviourConfig, normalizeRoute } from '../../../../lib/config/normalize.ts'
import { OwnedNames } from '../../../../lib/data-plane/transform/owned-names.ts'
import { localResponseTransforms, requestTransforms, responseTransforms } from '../../../../lib/data-plane/transform/index.ts'
import type { PrefixPair } from '../../../../lib/data-plane/transform/location.ts'
import type { RequestHead, ResponseHeaderEdits, RouteBehaviour } from '../../../../types/options.ts'
import type { Transform } from '../../../../types/policy.ts'
import { attemptOf, exchangeWith } from '../../samples.ts'

type Headers = Record<string, string | string[]>

const root: PrefixPair = { client: '', upstream: '' }

function behaviourOf (own: RouteBehaviour): BehaviourConfig {
  return normalizeRoute({ url: '/*', upstream: 'orders', ...own }, {}, '', [])!.behaviour
}

function applyAll<Head> (transforms: Transform<Head>[], head: Head): Head {
  const exchange = exchangeWith({ headers: { host: 'shop.example' } })
  exchange.last = attemptOf(exchange)
  for (const transform of transforms) transform.apply(head, exchange)
  return head
}

function requestHeaders (own: RouteBehaviour, headers: Headers = {}, pair: PrefixPair | null = root): Headers {
  return applyAll(requestTransforms(behaviourOf(own), pair, 'abc', new OwnedNames()), { method: 'GET', path: '/', headers: { ...headers } }).headers
}

function responseHeaders (own: RouteBehaviour, headers: Headers = {}, statusCode = 200, pair: PrefixPair | null = root): Headers {
  return applyAll(responseTransforms(behaviourOf(own), pair), { statusCode, headers: { ...headers } }).headers
}

const bare: RouteBehaviour = { forwarded: false, via: false, location: false }

test('tells the upstream by default who called and which way it came', () => {
  assert.deepEqual(requestHeaders({}), { 'x-forwarded-for': '192.0.2.7', 'x-forwarded-proto': 'http', 'x-forwarded-host': 'shop.example', via: '1.1 sluice (abc)' })
})

test('adds nothing to a request when everything is turned off, and still believes no claims', () => {
  assert.deepEqual(requestHeaders(bare, { 'x-forwarded-for': 'evil', accept: '*/*' }), { accept: '*/*' })
})

const hosts: readonly (readonly [host: string, sent: string | undefined])[] = [['upstream', undefined], ['original', 'shop.example'], ['internal.example', 'internal.example']]

for (const [host, sent] of hosts) {
  test(`sends ${sent ?? 'the Host of the endpoint'} for the host '${host}'`, () => {
    assert.equal(requestHeaders({ ...bare, host })['host'], sent)
  })
}

const prefixes: readonly (readonly [pair: PrefixPair | null, prefix: string | undefined])[] = [
  [{ client: '/api', upstream: '' }, '/api'], [{ client: '/api', upstream: '/v2' }, '/api'], [{ client: '/api', upstream: '/api' }, undefined], [root, undefined], [{ client: '', upstream: '/v2' }, undefined], [null, undefined]
]

for (const [pair, prefix] of prefixes) {
  test(`names ${prefix ?? 'no prefix'} to the upstream for ${JSON.stringify(pair)}`, () => {
    assert.equal(requestHeaders({}, {}, pair)['x-forwarded-prefix'], prefix)
  })
}

test('lets credentials have a say after what the proxy adds, edits after those, and the function of the user last', () => {
  const seen: Headers[] = []
  const headers = requestHeaders({
    credentials: () => ({ 'x-user': 'alice', 'x-forwarded-proto': 'https' }),
    headers: { request: { set: { 'x-user': 'edited', 'x-edited': '1' }, remove: ['via'] } },
    onProxyRequest (head: RequestHead) {
      seen.push({ ...head.headers })
      head.headers['x-edited'] = '2'
    }
  }, { 'x-user': 'forged' })
  assert.equal(seen.length, 1)
  assert.deepEqual(seen[0], { 'x-forwarded-for': '192.0.2.7', 'x-forwarded-proto': 'https', 'x-forwarded-host': 'shop.example', 'x-user': 'edited', 'x-edited': '1' })
  assert.deepEqual(headers, { ...seen[0], 'x-edited': '2' })
})

test('does nothing at all to a response that nothing is asked for', () => {
  assert.deepEqual(responseTransforms(behaviourOf(bare), root), [])
  assert.deepEqual(responseTransforms(behaviourOf({}), null), [])
  for (const headers of [{}, { request: { set: { a: '1' } } }, { response: {} }, { response: { when: 'always' as const } }]) {
    assert.deepEqual(responseTransforms(behaviourOf({ ...bare, headers }), root), [])
    assert.equal(localResponseTransforms(behaviourOf({ headers })), null)
  }
})

test('brings redirects back by default, unless that is turned off or cannot be told', () => {
  const redirect = { location: '/x' }
  const pair = { client: '/api', upstream: '' }
  assert.equal(responseHeaders({}, redirect, 302, pair)['location'], '/api/x')
  assert.equal(responseHeaders({ location: false }, redirect, 302, pair)['location'], '/x')
  assert.equal(responseHeaders({}, redirect, 302, null)['location'], '/x')
})

test('exposes variant and times where that is asked for', () => {
  assert.deepEqual(Object.keys(responseHeaders({ expose: true })), ['x-variant', 'server-timing'])
  assert.deepEqual(responseHeaders({}), {})
})

test('edits a response after what the proxy does to it, and lets the function of the user come last', () => {
  const headers = responseHeaders({
    expose: true,
    headers: { response: { set: { location: '/edited' }, remove: ['server-timing'] } },
    onProxyResponse (head) { head.headers['seen'] = JSON.stringify(head.headers) }
  }, { location: '/x' }, 302, { client: '/api', upstream: '' })
  assert.deepEqual(headers, { 'x-variant': 'stable', location: '/edited', seen: '{"location":"/edited","x-variant":"stable"}' })
})

type When = NonNullable<ResponseHeaderEdits['when']>

// Whether edits apply to a response of the upstream, and to one that no upstream made.
const whens: readonly (readonly [when: When | undefined, statusCode: number, ofUpstream: boolean, local: boolean])[] = [
  [undefined, 200, true, false], [undefined, 502, true, false],
  ['always', 200, true, true], ['always', 502, true, true],
  ['success', 200, true, true], ['success', 304, true, true], ['success', 399, true, true], ['success', 400, false, false], ['success', 502, false, false],
  ['failure', 200, false, false], ['failure', 399, false, false], ['failure', 400, true, true], ['failure', 502, true, true]
]

for (const [when, statusCode, ofUpstream, local] of whens) {
  test(`edits ${ofUpstream ? 'a' : 'no'} ${statusCode} of the upstream and ${local ? 'one' : 'none'} of our own with when: ${when ?? 'not given'}`, () => {
    for (const edit of [{ set: { a: '1' } }, { append: { a: '1' } }]) {
      const own = { ...bare, headers: { response: { ...edit, ...when !== undefined && { when } } } }
      assert.deepEqual(responseHeaders(own, {}, statusCode), ofUpstream ? { a: '1' } : {})
      const transforms = localResponseTransforms(behaviourOf(own))
      assert.deepEqual(applyAll(transforms ?? [], { statusCode, headers: {} as Headers }).headers, local ? { a: '1' } : {})
    }
  })
}

test('edits its own responses by `headers` alone', () => {
  const own: RouteBehaviour = { expose: true, onProxyResponse: () => assert.fail('no upstream answered'), headers: { response: { remove: ['a'], when: 'always' } } }
  const head = applyAll(localResponseTransforms(behaviourOf(own))!, { statusCode: 502, headers: { a: '1', location: '/x' } as Headers })
  assert.deepEqual(head.headers, { location: '/x' })
})
