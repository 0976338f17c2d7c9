import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readingsOf } from '../../../lib/data-plane/route-guards.ts'

const rows: readonly (readonly [path: string, readings: readonly string[]])[] = [
  ['/a//b', ['/a/b']],
  ['//a///b/', ['/a/b/']],
  ['/a%2Fb', ['/a/b']],
  ['/a%5cb', ['/a/b']],
  ['/a%2f/b', ['/a//b', '/a/b']],
  ['/%2Fa', ['//a', '/a']],
  ['/a;x=1/b', ['/a/b']],
  ['/a;/b;c', ['/a/b']],
  ['/a;x%2Fb', ['/a%2Fb', '/a/b', '/a;x/b']],
  ['/a;x//b', ['/a//b', '/a/b', '/a;x/b']],
  ['/;/a', ['//a', '/a']]
]

for (const [path, readings] of rows) {
  test(`${path} may be read as ${readings.join(', ')}`, () => {
    assert.deepEqual([...readingsOf(path)].sort(), [...readings].sort())
  })
}

test('a path without any of these is read in one way', () => {
  assert.equal(readingsOf('/a/b%20c').size, 0)
})
