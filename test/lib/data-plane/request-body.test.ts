import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import test from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { RequestBody } from '../../../lib/data-plane/request-body.ts'
import { Deadlines } from '../../../lib/data-plane/timeouts.ts'
import { exchangeWith } from '../samples.ts'

test('a body that fails before anybody listens to it does not end the process', async (t) => {
  const source = new Readable({ read () {} })
  source.on('data', () => {})
  source.push('read by a hook')
  await nextTurn()
  const deadlines = new Deadlines(() => {})
  t.after(() => { deadlines.close() })
  const body = new RequestBody(source, exchangeWith(), deadlines)

  // As undici does it: first this, then a look at the request, which may be over.
  body.read(0)
  await nextTurn()

  assert.equal((body.errored as { code?: string } | null)?.code, 'FST_SLUICE_CLIENT_BODY_ERROR')
})
