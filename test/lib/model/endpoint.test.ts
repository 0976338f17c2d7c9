import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { EndpointPool } from '../../../types/model.ts'
import { ProxyEndpoint } from '../../../lib/model/endpoint.ts'
import { readOrigin } from '../../../lib/model/origin.ts'
import { endpointAt } from '../samples.ts'

const cases: readonly (readonly [url: string, expected: { origin: string, host: string, basePath: string, servername: string | null }])[] = [
  ['http://10.0.0.1:3000', { origin: 'http://10.0.0.1:3000', host: '10.0.0.1:3000', basePath: '', servername: null }],
  ['http://10.0.0.1:80/', { origin: 'http://10.0.0.1', host: '10.0.0.1', basePath: '', servername: null }],
  ['http://a.example/v2', { origin: 'http://a.example', host: 'a.example', basePath: '/v2', servername: null }],
  ['http://a.example/v2/x/', { origin: 'http://a.example', host: 'a.example', basePath: '/v2/x', servername: null }],
  ['https://a.example:8443', { origin: 'https://a.example:8443', host: 'a.example:8443', basePath: '', servername: 'a.example' }],
  ['https://[2001:db8::1]:8443', { origin: 'https://[2001:db8::1]:8443', host: '[2001:db8::1]:8443', basePath: '', servername: '2001:db8::1' }],
  ['https://a.example.:8443', { origin: 'https://a.example.:8443', host: 'a.example.:8443', basePath: '', servername: 'a.example' }],
  ['unix:/run/app.sock', { origin: 'unix:/run/app.sock', host: 'localhost', basePath: '', servername: null }]
]

for (const [url, expected] of cases) {
  test(`takes ${url} apart`, () => {
    const { origin, host, basePath, servername } = endpointAt(url)
    assert.deepEqual({ origin, host, basePath, servername }, expected)
  })
}

test('prefers the Host header and the TLS name that the options give', () => {
  const { host, servername, origin } = endpointAt('https://10.0.0.1', { host: 'shop.example', servername: 'tls.example' })
  assert.deepEqual([host, servername, origin], ['shop.example', 'tls.example', 'https://10.0.0.1'])
})

test('leaves Host to its connections, which say it themselves, where it is that of the origin', () => {
  const origin = readOrigin('http://10.0.0.1:3000')
  const settings = { weight: 1, priority: 0, servername: null, connections: 1, connectTimeout: 1, host: null }
  const hostField = (given: object): string | null => new ProxyEndpoint(origin, { ...settings, ...given }, {} as EndpointPool).hostField
  assert.equal(hostField({}), null)
  assert.equal(hostField({ host: 'shop.example' }), 'shop.example')
  assert.equal(hostField({ host: '10.0.0.1:3000' }), null)
})

test('has no TLS name in plain text, whatever the options give', () => {
  assert.equal(endpointAt('http://10.0.0.1', { servername: 'tls.example' }).servername, null)
})

test('begins idle, of unknown health and not ejected', () => {
  const { active, health, ejectedUntil } = endpointAt('http://10.0.0.1')
  assert.deepEqual([active, health, ejectedUntil], [0, 'unknown', 0])
})
