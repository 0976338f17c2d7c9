import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fitToHttp2 } from '../../../lib/data-plane/http2-fields.ts'

test('takes out what belongs to a connection of HTTP/1.1, and joins what may be sent once only', () => {
  const headers = {
    connection: 'close',
    'keep-alive': '5',
    'proxy-connection': 'x',
    'transfer-encoding': 'chunked',
    upgrade: 'h2c',
    'http2-settings': 'x',
    'content-type': ['a', 'b'],
    'set-cookie': ['a=1', 'b=2'],
    etag: '"1"'
  }
  fitToHttp2(headers)
  assert.deepEqual(headers, { 'content-type': 'a, b', 'set-cookie': ['a=1', 'b=2'], etag: '"1"' })
})
