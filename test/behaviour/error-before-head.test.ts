import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { answer, closeBeforeHead, drip, hang, origin, rawOrigin, reset, speak, type Step } from '../helpers/origin.ts'
import { assertFails, startSick, type Row } from './error-outcome.ts'

type Upstream = (t: TestContext) => Promise<{ url: string, closed: (n: number) => Promise<void> }>

const step = (does: Step): Upstream => (t) => origin(t, does)
const says = (text: string): Upstream => (t) => rawOrigin(t, speak(text))
/** Writes the text for the first request, and closes. */
const endsWith = (text: string): Upstream => (t) => rawOrigin(t, (socket) => { socket.once('data', () => socket.end(text, 'latin1')) })

const broken = { status: 502, error: 'connection_terminated', phase: 'responseHeaders' }
const invalid = { status: 502, error: 'http_protocol_error', phase: 'responseHeaders' }
const tooLarge = { status: 502, error: 'http_response_header_section_size', phase: 'responseHeaders' }

const cases: [what: string, row: Row, upstream: Upstream, isWhole?: true][] = [
  ['a connection that is reset', broken, step(reset())],
  ['a connection that is closed', broken, step(closeBeforeHead())],
  ['a connection that ends within the status line', broken, endsWith('HTTP/1.1 20')],
  ['a connection that ends within the head', broken, endsWith('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Ha')],
  ['a connection that ends after an interim answer', broken, endsWith('HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n')],
  ['a connection that ends within its first bytes', broken, endsWith('HTTP/1')],
  ['a few bytes that are no HTTP', invalid, says('hi\r\n')],
  ['a few bytes that are no HTTP, and the end', invalid, endsWith('hi')],
  ['a body behind an interim answer', invalid, says('HTTP/1.1 102 Processing\r\nContent-Length: 2\r\n\r\nok')],
  ['an interim answer whose lines end in LF', invalid, says('HTTP/1.1 103 Early Hints\nLink: </x>\n\n')],
  ['bytes that are no HTTP', invalid, says('220 mail.test ESMTP ready\r\n')],
  ['the preface of HTTP/2', invalid, says('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')],
  ['a status of 099', invalid, says('HTTP/1.1 099 Odd\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')],
  ['a status of 000', invalid, says('HTTP/1.1 000 Odd\r\nContent-Length: 0\r\n\r\n')],
  ['a status of four digits', invalid, says('HTTP/1.1 1000 Odd\r\nContent-Length: 0\r\n\r\n')],
  ['a status of two digits', invalid, says('HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n')],
  ['100 Continue without end', invalid, says('HTTP/1.1 100 Continue\r\n\r\n'.repeat(1000))],
  ['a coding that was not asked for', invalid, says('HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n')],
  ['chunks twice', invalid, says('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n')],
  ['a coding until the end', invalid, says('HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok')],
  ['a change of protocol that nobody asked for', invalid, says('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n')],
  ['interim answers without end', invalid, says('HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(1000))],
  ['two different lengths', invalid, says('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc')],
  ['a length beside chunks', invalid, says('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n')],
  ['a length that is none', invalid, says('HTTP/1.1 200 OK\r\nContent-Length: 2x\r\n\r\nok')],
  ['a header without a colon', invalid, says('HTTP/1.1 200 OK\r\nnonsense\r\n\r\n')],
  ['a space before a colon', invalid, says('HTTP/1.1 200 OK\r\nX-Name : value\r\nContent-Length: 0\r\n\r\n')],
  ['a control character in a header', invalid, says('HTTP/1.1 200 OK\r\nX-Name: a\0b\r\nContent-Length: 0\r\n\r\n')],
  ['a header of 20 KiB', tooLarge, says(`HTTP/1.1 200 OK\r\nX-Long: ${'x'.repeat(20_480)}\r\nContent-Length: 0\r\n\r\n`)],
  ['2,000 headers', tooLarge, says(`HTTP/1.1 200 OK\r\n${'X-Name: value\r\n'.repeat(2000)}Content-Length: 0\r\n\r\n`)]
]

for (const [what, row, upstream, isWhole = false] of cases) {
  test(`answers ${row.status} ${row.error} for ${what}`, async (t) => {
    const sick = await upstream(t)
    const proxy = await startSick(t, sick.url)

    const line = await assertFails(t, proxy, row)

    // It reached the upstream on a connection that had not carried anything before: never a second time.
    assert.equal(line['attempts'], 1)
    // What is not whole leaves a connection that nobody can go on with.
    if (!isWhole) await sick.closed(1)
  })
}

const programmed: [what: string, upstream: Step, route: object][] = [
  ['onProxyRequest', hang(), { onProxyRequest: fault }],
  ['onProxyResponse', answer(200, 'whole'), { onProxyResponse: fault }],
  ['onProxyResponse, on a body that is not whole', drip(['a', 'b'], 5000), { onProxyResponse: fault }],
  ['rewrite', hang(), { rewrite: fault }],
  ['credentials', hang(), { credentials: fault }],
  ['a header of one\'s own', hang(), { headers: { request: { set: { 'x-who': fault } } } }]
]

function fault (): never {
  throw new TypeError('no luck at 127.0.0.1')
}

for (const [what, does, route] of programmed) {
  test(`answers 500 internal_error where the app throws in ${what}`, async (t) => {
    const upstream = await origin(t, does)
    const proxy = await startSick(t, upstream.url, route)
    const isResponse = 'onProxyResponse' in route

    const line = await assertFails(t, proxy, {
      status: 500,
      error: 'internal_error',
      proxyStatus: 'proxy_internal_error',
      phase: isResponse ? 'responseHeaders' : 'select'
    })

    assert.match(line['err'].message, /no luck/)
    assert.equal(upstream.hits, isResponse ? 1 : 0)
  })
}
