import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AcceptCodings } from '../../../../lib/data-plane/transform/accept-codings.ts'

test('asks for what can be decoded, and for nothing where the client did not ask', () => {
  const heads = [{ 'accept-encoding': 'gzip, sdch' }, {}].map((headers) => ({ method: 'GET', path: '/', headers: headers as Record<string, string> }))
  for (const head of heads) new AcceptCodings().apply(head)
  assert.deepEqual(heads.map(({ headers }) => headers), [{ 'accept-encoding': 'gzip' }, {}])
})
