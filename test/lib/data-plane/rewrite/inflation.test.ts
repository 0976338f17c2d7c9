import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { Inflation } from '../../../../lib/data-plane/rewrite/inflation.ts'
import type { ProxyError } from '../../../../lib/errors.ts'
import { exchangeWith } from '../../samples.ts'

const MIB = 1024 * 1024

async function inflate (received: number, pieces: number, responseLimit = Infinity): Promise<string> {
  const exchange = exchangeWith({ route: { responseLimit } })
  exchange.bytesOut = received
  const stream = new Inflation(exchange)
  stream.resume()
  const over = once(stream, 'end').then(() => 'whole', (error: ProxyError) => error.error)
  for (let n = 0; n < pieces; n++) stream.write(Buffer.alloc(MIB))
  stream.end()
  return over
}

test('a body may become 1,100 times what came over the wire, and 16 MiB in any case', async () => {
  assert.equal(await inflate(10, 16), 'whole')
  assert.equal(await inflate(10, 17), 'http_response_body_size')
  assert.equal(await inflate(20_000, 20), 'whole')
})

test('the responseLimit holds for what it becomes', async () => {
  assert.equal(await inflate(MIB, 2, 2 * MIB), 'whole')
  assert.equal(await inflate(MIB, 3, 2 * MIB), 'http_response_body_size')
})
