import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PathRewrite } from '../../../../types/model.ts'
import { PathTemplate, ReplacePrefix, SamePath } from '../../../../lib/data-plane/route-path.ts'
import { aimReferences, findReferences } from '../../../../lib/data-plane/transform/references.ts'
import { endpointAt, exchangeWith, type RequestFields } from '../../samples.ts'

interface Case extends RequestFields {
  path?: PathRewrite
  endpoints?: string[]
  /** What the code of the app writes in between. */
  edit?: string
  sentHost?: string
}

const files = new ReplacePrefix('/files', '/dav')

/** The field as the last of the endpoints gets it. */
function sent (field: 'destination' | 'if', value: string, { method = 'MOVE', path = files, endpoints = ['http://10.0.0.1:3000'], edit, sentHost, ...request }: Case = {}): string {
  const exchange = exchangeWith({ method, host: 'shop.test', ...request, headers: { host: 'shop.test', ...request.headers, [field]: value }, route: { path } })
  // The app sees what the client said.
  const headers: Record<string, string | string[]> = { [field]: value, ...sentHost !== undefined && { host: sentHost } }
  findReferences(exchange, method, null)
  if (edit !== undefined) headers[field] = edit
  for (const endpoint of endpoints) {
    if (exchange.references !== null) aimReferences(exchange.references, headers, endpointAt(endpoint))
  }
  return headers[field] as string
}

const rows: readonly (readonly [destination: string, seen: string, where?: Case])[] = [
  ['http://shop.test/files/b.txt', 'http://10.0.0.1:3000/dav/b.txt'], ['/files/b%20c.txt', '/dav/b%20c.txt'], ['http://shop.test/files/%C3%A4?a=%2F', 'http://10.0.0.1:3000/dav/%C3%A4?a=%2F'],
  ['/files', '/dav'], ['/files/', '/dav/'], ['http://shop.test/files', 'http://10.0.0.1:3000/dav'],
  ['HTTP://SHOP.test:80/files/b', 'http://10.0.0.1:3000/dav/b'], ['http://shop.test:/files/b', 'http://10.0.0.1:3000/dav/b'], ['http://shop.test/files/b', 'http://10.0.0.1:3000/dav/b', { headers: { host: 'Shop.test:80' }, host: 'Shop.test:80' }],
  // As a trusted peer has it, and by the Host on the wire.
  ['https://outer.test/files/b', 'http://10.0.0.1:3000/dav/b', { protocol: 'https', host: 'outer.test' }], ['https://outer.test:443/files/b', 'http://10.0.0.1:3000/dav/b', { protocol: 'https', host: 'outer.test' }],
  ['https://shop.test/files/b', 'http://10.0.0.1:3000/dav/b', { protocol: 'https', host: 'outer.test' }], ['http://shop.test/files/b', 'http://10.0.0.1:3000/dav/b', { protocol: 'https', host: 'outer.test' }],
  // Elsewhere, of another scheme or port, and what this route does not reach.
  ...['http://elsewhere.test/files/b', 'https://shop.test/files/b', 'http://shop.test:8080/files/b', 'http://user@shop.test/files/b', 'http://shop.test.evil.example/files/b', 'ftp://shop.test/files/b', '//shop.test/files/b',
    'http://shop.test/other/b', 'http://shop.test/', '/other/b', '/filesystem/b', '/FILES/b', 'files/b', 'b', ''].map((destination) => [destination, destination] as const),
  // The endpoint's own: scheme, base path, the Host that it is sent.
  ['http://shop.test/files/b', 'https://a.example/base/dav/b', { endpoints: ['https://a.example/base'] }], ['/files/b', '/base/dav/b', { endpoints: ['http://a.example/base/'] }],
  ['http://shop.test/files/b', 'http://shop.test/dav/b', { sentHost: 'shop.test' }],
  // Another attempt goes to another endpoint.
  ['http://shop.test/files/b', 'http://b.example/two/dav/b', { endpoints: ['http://a.example/one', 'http://b.example/two'] }], ['/files/b', '/dav/b', { endpoints: ['http://a.example/one', 'http://b.example'] }],
  // Routes that take nothing off, and templates.
  ['http://shop.test/files/b', 'http://10.0.0.1:3000/files/b', { path: new SamePath('/files/*') }], ['/other/b', '/other/b', { path: new SamePath('/files/*'), endpoints: ['http://a.example/base'] }], ['/files/b', '/base/files/b', { path: new SamePath('/*'), endpoints: ['http://a.example/base'] }],
  ['/files/b', '/b', { path: new PathTemplate('/files/*', '/*') }], ['/files', '/', { path: new ReplacePrefix('/files', '/') }],
  // Code of the app has the last word, and other methods have a Destination of their own.
  ['http://shop.test/files/b', '/mine', { edit: '/mine' }], ['http://shop.test/files/b', 'http://shop.test/files/b', { method: 'POST' }], ['/files/b', '/dav/b', { method: 'COPY' }]
]

for (const [destination, seen, where] of rows) {
  test(`sends a Destination of '${destination}' as '${seen}'${where === undefined ? '' : ` where ${JSON.stringify(where)}`}`, () => {
    assert.equal(sent('destination', destination, where), seen)
  })
}

for (const destination of ['/files/../secret', '/files/%2e%2e/secret', '/files/.%2E/x', '/files/a/..', '/files/..;a/x', '/files/..%2fsecret', '/files/..%5csecret', '/files\\..\\secret', '/files/a\\b', '/files/%', '/files/b#c', '/files/a b', '/x/../files/b', '/../secret', '/files/b, /files/c', 'http://shop.test/files/../secret', 'http://shop.test/..', 'HTTP://SHOP.TEST:80/files/%2E%2E/x']) {
  test(`refuses a Destination of '${destination}'`, () => {
    assert.throws(() => sent('destination', destination), { statusCode: 400, error: 'http_request_error' })
    assert.throws(() => sent('if', `<${destination}> (<urn:x>)`), { statusCode: 400 })
  })
}

const token = '(<opaquelocktoken:1> ["a>b)<http://shop.test/files/x>"])'

for (const [condition, seen] of [
  [token, token],
  [`<http://shop.test/files/b> ${token}`, `<http://10.0.0.1:3000/dav/b> ${token}`],
  [`<http://shop.test/files/b>${token}(Not <DAV:no-lock>) </files/c%20d> ${token}`, `<http://10.0.0.1:3000/dav/b>${token}(Not <DAV:no-lock>) </dav/c%20d> ${token}`],
  ['<http://elsewhere.test/files/b> (<urn:x>)', '<http://elsewhere.test/files/b> (<urn:x>)'],
  ['(<http://shop.test/files/b>)', '(<http://shop.test/files/b>)'],
  ['<http://shop.test/files/b', '<http://shop.test/files/b'], ['("<http://shop.test/files/b>', '("<http://shop.test/files/b>'], ['', '']
] as const) {
  test(`sends an If of '${condition}' as '${seen}'`, () => {
    assert.equal(sent('if', condition, { method: 'PUT' }), seen)
  })
}

test('an If of many brackets takes no longer than its length', () => {
  for (const text of ['('.repeat(16_384), '<'.repeat(16_384), '("'.repeat(8192), '(<'.repeat(8192)]) assert.equal(sent('if', text), text)
})
