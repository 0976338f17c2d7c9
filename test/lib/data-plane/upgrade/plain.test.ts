import assert from 'node:assert/strict'
import { test } from 'node:test'
import { plainHead } from '../../../../lib/data-plane/upgrade/plain.ts'

const heads: [what: string, rawHeaders: string[], lines: string[]][] = [
  ['takes the asking out of Connection and leaves the rest', ['Connection', 'keep-alive, Upgrade, HTTP2-Settings, X-A', 'Upgrade', 'h2c', 'HTTP2-Settings', 'AAMA', 'X-A', '1'], ['Connection: keep-alive, X-A', 'X-A: 1']],
  ['leaves out a Connection that only asked', ['Host', 'x', 'connection', 'upgrade', 'UPGRADE', 'h2c'], ['Host: x']],
  ['keeps what came twice, in order and as it was written', ['A', '1', 'a', '2', 'Connection', 'Upgrade', 'Connection', 'close'], ['A: 1', 'a: 2', 'Connection: close']],
  ['keeps framing and every byte', ['Content-Length', '5', 'X', 'Ä\u0080'], ['Content-Length: 5', 'X: Ä\u0080']]
]

for (const [what, rawHeaders, lines] of heads) {
  test(what, () => {
    assert.equal(plainHead({ method: 'POST', url: '/a%2F?b#', httpVersion: '1.0', rawHeaders }), ['POST /a%2F?b# HTTP/1.0', ...lines, '', ''].join('\r\n'))
  })
}
