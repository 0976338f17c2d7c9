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

for (const own of ['X-User-Id', 'x_user_id']) {
  test(`lets no client forge ${own}, however it is spelt`, () => {
    const headers: Record<string, string> = { 'x-user-id': 'a', x_user_id: 'b', 'x-user_id': 'c', 'x_user-id': 'd', 'x-user': 'e', x_user_ids: 'f' }
    new Credentials(() => ({ [own]: '7' })).apply({ method: 'GET', path: '/', headers }, exchangeWith())
    assert.deepEqual(headers, { 'x-user': 'e', x_user_ids: 'f', [own.toLowerCase()]: '7' })
  })
}

test('does not grow without bound with names that are made from input, and lets none of them be forged when it is given', () => {
  let given: Given = {}
  const credentials = new Credentials(() => given)
  const apply = (headers: Record<string, string>): Record<string, string> => {
    credentials.apply({ method: 'GET', path: '/', headers }, exchangeWith())
    return headers
  }
  for (let request = 0; request < 200; request++) {
    given = { [`x-${request}`]: 'v' }
    assert.deepEqual(apply({}), given)
  }
  // The first 64 are remembered; of those after them the present one is known.
  given = { 'x-200': 'v', 'X-201': undefined }
  assert.deepEqual(apply({ 'x-0': 'forged', 'x-63': 'forged', 'x-64': 'kept', 'x-200': 'forged', 'x-201': 'forged' }), { 'x-64': 'kept', 'x-200': 'v' })
})

test('remembers the names of one route only', () => {
  new Credentials(() => ({ 'x-user': 'ann' })).apply({ method: 'GET', path: '/', headers: {} }, exchangeWith())
  const head = { method: 'GET', path: '/', headers: { 'x-user': 'kept' } }
  new Credentials(() => ({})).apply(head, exchangeWith())
  assert.deepEqual(head.headers, { 'x-user': 'kept' })
})
