import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import test from 'node:test'
import { buildConnector, Pool } from 'undici'
import { answer, closeBeforeHead, collectHead, cutBody, origin, rawOrigin, refusedPort, reset, speak, tlsOrigin, type OnSocket, type Step } from '../helpers/origin.ts'
import { ca, expired, otherCa, server, wrongName } from '../helpers/tls.ts'
import { poolOf, send, type Outgoing } from './recorder.ts'

/*
 * By which names undici, TLS and the system tell what went wrong: what toProxyError in lib/errors.ts goes by.
 */

interface Told {
  /** undefined: it has none */
  code: string | undefined
  name?: string
  message?: RegExp
  /** Whether the head was handed over before. */
  hasHead?: boolean
}

async function assertTold (pool: Pool, outgoing: Outgoing, { code, name, message, hasHead = false }: Told): Promise<void> {
  const { error, calls } = await send(pool, outgoing)
  assert.ok(error !== null, calls.join())
  if (name !== undefined) assert.equal(error.name, name)
  if (message !== undefined) assert.match(error.message, message)
  assert.equal(error.code, code)
  assert.equal(calls.includes('onHeaders'), hasHead)
}

const misbehaving: Record<string, { step: Step, told: Told }> = {
  'an orderly close before the head': { step: closeBeforeHead(), told: { code: 'UND_ERR_SOCKET', name: 'SocketError' } },
  'a reset before the head': { step: reset(), told: { code: 'ECONNRESET' } },
  'a close in a body of known length': { step: cutBody(100, 10), told: { code: 'UND_ERR_SOCKET', hasHead: true } },
  'a close in a chunked body': { step: cutBody(null, 10), told: { code: 'UND_ERR_SOCKET', hasHead: true } },
  'a reset in the body': { step: cutBody(100_000, 10, 'reset'), told: { code: 'ECONNRESET', hasHead: true } }
}

for (const [what, { step, told }] of Object.entries(misbehaving)) {
  test(`tells of ${what} as ${told.code}`, async (t) => {
    const upstream = await origin(t, step)
    await assertTold(poolOf(t, upstream.url), {}, told)
  })
}

const spoken: Record<string, { text: string, told: Told }> = {
  'something that is not HTTP': { text: 'SSH-2.0-OpenSSH\r\n\r\n', told: { name: 'HTTPParserError', code: undefined } },
  'a status line with a fault': { text: 'HTTP/1.1 2x0 OK\r\n\r\n', told: { name: 'HTTPParserError', code: undefined } },
  'a length that is no number': { text: 'HTTP/1.1 200 OK\r\nContent-Length: 1x\r\n\r\n', told: { code: 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH' } },
  'a chunk size that is none': { text: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n', told: { name: 'HTTPParserError', code: undefined, hasHead: true } },
  'a head that is too large': { text: `HTTP/1.1 200 OK\r\nX-A: ${'a'.repeat(100_000)}\r\n\r\n`, told: { code: 'UND_ERR_HEADERS_OVERFLOW' } },
  'a switch of protocols that nobody asked for': { text: 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n', told: { code: 'UND_ERR_SOCKET', message: /^bad upgrade$/ } },
  'a 100 that nobody asked for': { text: 'HTTP/1.1 100 Continue\r\n\r\n', told: { code: 'UND_ERR_SOCKET', message: /^bad response$/ } }
}

for (const [what, { text, told }] of Object.entries(spoken)) {
  test(`tells of ${what} as ${told.code ?? told.name}`, async (t) => {
    const upstream = await rawOrigin(t, speak(text))
    await assertTold(poolOf(t, upstream.url), {}, told)
  })
}

test('tells of an orderly end in a body of known length as a lost connection, or as a length that does not match', async (t) => {
  const half: OnSocket = async (socket) => {
    await collectHead(socket)
    socket.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf')
  }
  const upstream = await rawOrigin(t, half)

  const { error } = await send(poolOf(t, upstream.url))

  assert.ok(error?.code === 'UND_ERR_SOCKET' || error?.code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH', error?.code)
})

const refusedRequests: Record<string, { outgoing: Outgoing, code: string }> = {
  'a header value with a line break': { outgoing: { headers: { 'x-a': 'a\r\nb: c' } }, code: 'UND_ERR_INVALID_ARG' },
  'a header value beyond latin1': { outgoing: { headers: { 'x-a': 'žluť' } }, code: 'UND_ERR_INVALID_ARG' },
  'a header name that is no token': { outgoing: { headers: { 'x a': '1' } }, code: 'UND_ERR_INVALID_ARG' },
  'a path that is none': { outgoing: { path: 'x' }, code: 'UND_ERR_INVALID_ARG' },
  'a path with a space': { outgoing: { path: '/a b' }, code: 'UND_ERR_INVALID_ARG' },
  'a method that is no token': { outgoing: { method: 'A B' }, code: 'UND_ERR_INVALID_ARG' },
  'an expectation': { outgoing: { headers: { expect: '100-continue' } }, code: 'UND_ERR_NOT_SUPPORTED' },
  'a body longer than it says': { outgoing: { method: 'POST', body: Readable.from(['four']), headers: { 'content-length': '2' } }, code: 'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH' },
  'a body shorter than it says': { outgoing: { method: 'POST', body: Readable.from(['four']), headers: { 'content-length': '6' } }, code: 'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH' }
}

for (const [what, { outgoing, code }] of Object.entries(refusedRequests)) {
  test(`does not send ${what}: ${code}`, async (t) => {
    const upstream = await origin(t, answer(200))
    await assertTold(poolOf(t, upstream.url), outgoing, { code })
    assert.ok(upstream.requests.every(({ complete }) => !complete))
  })
}

test('tells of a refused connection as ECONNREFUSED, without a connection', async (t) => {
  const { error, calls } = await send(poolOf(t, `http://127.0.0.1:${await refusedPort()}`))

  assert.equal(error?.code, 'ECONNREFUSED')
  assert.deepEqual(calls, ['onError'])
})

test('tells of a name with several addresses that all refuse as one error with the code of the first', async (t) => {
  const port = await refusedPort()
  const lookup = (_name: string, _options: object, callback: (error: null, addresses: object[]) => void): void => {
    callback(null, [{ address: '127.0.0.1', family: 4 }, { address: '::1', family: 6 }])
  }
  const connect = buildConnector({ lookup, timeout: 0 } as unknown as buildConnector.BuildOptions)

  const { error } = await send(poolOf(t, `http://several.test:${port}`, { connect }))

  assert.ok(error instanceof AggregateError)
  assert.deepEqual([(error as NodeJS.ErrnoException).code, error.errors.length, error.errors[0].code], ['ECONNREFUSED', 2, 'ECONNREFUSED'])
})

test('passes an error of name resolution on as it is', async (t) => {
  for (const code of ['ENOTFOUND', 'EAI_AGAIN']) {
    const lookup = (_name: string, _options: object, callback: (error: Error) => void): void => {
      callback(Object.assign(new Error(`getaddrinfo ${code}`), { code }))
    }
    const connect = buildConnector({ lookup, timeout: 0 } as unknown as buildConnector.BuildOptions)
    await assertTold(poolOf(t, 'http://nobody.test', { connect }), {}, { code })
  }
})

const handshakes: Record<string, { identity: { cert: string, key: string }, trusted: string, code: string }> = {
  'a certificate of nobody we trust': { identity: server, trusted: otherCa, code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' },
  'a certificate that is over': { identity: expired, trusted: ca, code: 'CERT_HAS_EXPIRED' },
  'a certificate for somebody else': { identity: wrongName, trusted: ca, code: 'ERR_TLS_CERT_ALTNAME_INVALID' }
}

for (const [what, { identity, trusted, code }] of Object.entries(handshakes)) {
  test(`tells of ${what} as ${code}`, async (t) => {
    const upstream = await tlsOrigin(t, identity, answer(200))
    await assertTold(poolOf(t, upstream.url, { connect: { ca: trusted } }), { servername: 'localhost' }, { code })
    assert.equal(upstream.hits, 0)
  })
}

test('tells of an upstream that does not speak TLS by a code of ERR_SSL, and of its alert in the handshake by one with ALERT in it', async (t) => {
  const plain = await rawOrigin(t, (socket) => { socket.end('HTTP/1.1 400 Bad Request\r\n\r\n') })
  const strict = await tlsOrigin(t, { ...server, ca, requestCert: true }, answer(200))

  const [spokePlain, alerted] = [
    await send(poolOf(t, plain.url.replace('http', 'https')), { servername: 'localhost' }),
    // In TLS 1.3 a server looks at the certificate when the client already takes the handshake for done.
    await send(poolOf(t, strict.url, { connect: { ca, maxVersion: 'TLSv1.2' } }), { servername: 'localhost' })
  ]

  assert.match(String(spokePlain.error?.code), /^ERR_SSL_(?!.*ALERT)|^EPROTO$/)
  assert.match(String(alerted.error?.code), /^ERR_SSL_.*ALERT/)
})

test('tells of a closed pool as UND_ERR_CLOSED and of a destroyed one as UND_ERR_DESTROYED, to the handler', async (t) => {
  const upstream = await origin(t, answer(200))
  const [closed, destroyed] = [poolOf(t, upstream.url), poolOf(t, upstream.url)]
  await closed.close()
  await destroyed.destroy()

  await assertTold(destroyed, {}, { code: 'UND_ERR_DESTROYED' })
  const { error } = await send(closed)
  assert.ok(error?.code === 'UND_ERR_CLOSED' || error?.code === 'UND_ERR_DESTROYED', error?.code)
})
