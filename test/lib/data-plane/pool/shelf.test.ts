import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Shelf } from '../../../../lib/data-plane/pool/shelf.ts'

const settings = { warm: 2, limit: 4, recycleAfter: Infinity, idleTimeout: 1000 }

test('a connection that cannot even be begun is none: nothing rejects, nobody waits for it, and it is begun again', async () => {
  let begun = 0
  const shelf = new Shelf(() => {
    begun++
    throw new TypeError('such TLS options there are not')
  }, settings, () => 0)

  assert.equal(await shelf.fill(2), false)
  await shelf.keep()
  assert.equal(begun, 4)
  // None is being made that it could have.
  assert.equal(shelf.take(() => {}), false)
  shelf.close()
})
