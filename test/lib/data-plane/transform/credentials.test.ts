import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Credentials } from '../../../../lib/data-plane/transform/credentials.ts'
import { exchangeWith } from '../../samples.ts'

type Given = Record<string, string | undefined>

const received = { 'x-user': 'forged', x_user: 'forged', a: '1' }
const heads: readonly (readonly [what: string, given: Given, sent: Given])[] = [
  ['replaces what the client forged, hyphens or underscores alike', { 'X-User': 'ann' }, { 'x-user': 'ann', a: '1' }],
  ['drops what the client forged where there is no value', { 'x-user': undefined }, { a: '1' }],
  ['gives a name with underscores as it is', { x_user: 'ann' }, { x_user: 'ann', a: '1' }],
  ['leaves names alone that it was never given', {}, received]
]

for (const [what, given, sent] of heads) {
  test(what, () => {
    const head = { method: 'GET', path: '/', headers: { ...received } as Record<string, string> }
    new Credentials(() => given).apply(head, exchangeWith())
    assert.deepEqual(head.headers, sent)
  })
}

test('drops a name that it gave once, also for callers to whom it does not give it', () => {
  let given: Given = { 'x-user': 'ann' }
  const credentials = new Credentials(() => given)
  credentials.apply({ method: 'GET', path: '/', headers: {} }, exchangeWith())
  given = {}
  const head = { method: 'GET', path: '/', headers: { ...received } as Record<string, string> }
  credentials.apply(head, exchangeWith())
  assert.deepEqual(head.headers, { a: '1' })
})
