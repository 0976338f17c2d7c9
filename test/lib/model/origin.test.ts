import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findSocketFault, isUnixSocket, nameForTls, readOrigin, urlOn } from '../../../lib/model/origin.ts'

test('takes a URL apart', () => {
  assert.deepEqual(readOrigin('https://A.example:8443/v2/'), {
    text: 'https://a.example:8443', isSecure: true, hostname: 'a.example', port: 8443, authority: 'a.example:8443', path: '/v2/', socketPath: null
  })
  assert.deepEqual(readOrigin('http://[2001:db8::1]'), {
    text: 'http://[2001:db8::1]', isSecure: false, hostname: '2001:db8::1', port: 80, authority: '[2001:db8::1]', path: '/', socketPath: null
  })
  assert.equal(readOrigin('https://a').port, 443)
})

// Nothing is decoded: a percent sign is one of the file's name.
const sockets: readonly (readonly [text: string, socketPath: string])[] = [
  ['unix:/run/app.sock', '/run/app.sock'],
  ['UNIX:/run/app.sock', '/run/app.sock'],
  ['unix:///run/app.sock', '/run/app.sock'],
  ['unix:/run/a:b.sock', '/run/a:b.sock'],
  ['unix:/run/my app.sock', '/run/my app.sock'],
  ['unix:/run/caf\u00e9.sock', '/run/caf\u00e9.sock'],
  ['unix:/run/a%20b.sock', '/run/a%20b.sock'],
  [`unix:/${'x'.repeat(90)}`, `/${'x'.repeat(90)}`]
]

for (const [text, socketPath] of sockets) {
  test(`takes ${JSON.stringify(text)} for a Unix socket`, () => {
    assert.equal(findSocketFault(text), null)
    assert.equal(isUnixSocket(text), true)
    assert.deepEqual(readOrigin(text), { text: `unix:${socketPath}`, isSecure: false, hostname: 'localhost', port: null, authority: 'localhost', path: '/', socketPath })
  })
}

const faults: readonly (readonly [text: string, fault: RegExp])[] = [
  ['unix:app.sock', /absolute/],
  ['unix:./app.sock', /absolute/],
  ['unix:', /absolute/],
  ['unix://run/app.sock', /no host/],
  ['unix:////run/app.sock', /no host/],
  ['unix:/run/', /folder/],
  ['unix:/', /folder/],
  ['unix:/run/app.sock?x=1', /query/],
  ['unix:/run/app.sock#x', /query/],
  ['unix:/run/a\nb', /control characters/],
  ['unix:/run/a\0b', /control characters/],
  [`unix:/${'x'.repeat(120)}`, /at most \d+ bytes, not 121/],
  // Bytes, not characters.
  [`unix:/${'\u00e9'.repeat(60)}`, /at most \d+ bytes, not 121/],
  ['http://unix:/run/app.sock', /is written 'unix:\/run\/app\.sock'/],
  ['unix+http://%2Frun%2Fapp.sock/', /is written/],
  ['http+unix://%2Frun%2Fapp.sock/', /is written/]
]

for (const [text, fault] of faults) {
  test(`says what is wrong with ${JSON.stringify(text)}`, () => { assert.match(findSocketFault(text) ?? '', fault) })
}

test('has nothing to say of what is meant otherwise', () => {
  for (const text of ['http://unix', 'http://unix:80/run', 'https://unix.example/x', 'orders', '', 'git+ssh://a', 'unixes']) assert.equal(findSocketFault(text), null, text)
})

test('an absolute name loses its dot in TLS', () => {
  assert.deepEqual(['a.example.', 'a.example', '10.0.0.1'].map(nameForTls), ['a.example', 'a.example', '10.0.0.1'])
})

test('puts a path on an origin, and a colon between it and the name of a file', () => {
  assert.deepEqual([urlOn('http://a:1', '/x?y'), urlOn('unix:/run/app.sock', '/x?y')], ['http://a:1/x?y', 'unix:/run/app.sock:/x?y'])
})
