import assert from 'node:assert/strict'
import { ServerResponse } from 'node:http'
import test from 'node:test'
import type { Connection } from '../../../lib/data-plane/pool/connection.ts'
import { giveBackWhole } from '../../../lib/data-plane/lending.ts'
import { exchangeWith } from '../samples.ts'

const large = Buffer.alloc(20_000)
const sent = { writableEnded: true, socket: { writableLength: 0 }, write: ServerResponse.prototype.write, end: ServerResponse.prototype.end }

/** Whether the memory of a body goes back to the connection that has read it. */
function isGivenBack (payload: Buffer | undefined, { raw = {}, hooks = false, rewrite = null }: { raw?: object, hooks?: boolean, rewrite?: object | null } = {}): boolean {
  const taken: Buffer[] = []
  const exchange = exchangeWith({ reply: { raw: { ...sent, ...raw } }, route: { rewrite } as object })
  exchange.hasSendHooks = hooks
  giveBackWhole(payload, exchange, { takeBack: (chunk: Buffer) => { taken.push(chunk) } } as unknown as Connection)
  return taken.length === 1 && taken[0] === payload
}

test('a body that the kernel has taken all of is given back', () => {
  assert.equal(isGivenBack(large), true)
})

const kept: readonly (readonly [what: string, payload: Buffer | undefined, given: Parameters<typeof isGivenBack>[1]])[] = [
  ['no body', undefined, {}],
  ['one so small that it is a copy', Buffer.alloc(16 * 1024), {}],
  ['one that hooks have seen', large, { hooks: true }],
  ['one that a function of the app rewrites', large, { rewrite: {} }],
  ['one that has not been sent', large, { raw: { writableEnded: false } }],
  ['one that waits for its turn on the connection', large, { raw: { socket: null } }],
  ['one that the kernel has not taken all of', large, { raw: { socket: { writableLength: 1 } } }],
  ['one that somebody records', large, { raw: { end: () => {} } }],
  ['one whose writes somebody records', large, { raw: { write: () => {} } }]
]

for (const [what, payload, given] of kept) {
  test(`the memory of ${what} is not read into again`, () => {
    assert.equal(isGivenBack(payload, given), false)
  })
}
