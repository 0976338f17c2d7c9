import assert from 'node:assert/strict'
import test from 'node:test'
import * as catalog from '../../../../lib/observe/metrics/catalog.ts'
import type { Definition } from '../../../../lib/observe/metrics/catalog.ts'
import { families } from '../../../../lib/observe/metrics/families.ts'

const definitions = Object.values(catalog).filter((value): value is Definition => !Array.isArray(value))

test('every metric of the catalog is read, once', () => {
  assert.deepEqual(families.map(({ definition }) => definition.name).sort(), definitions.map(({ name }) => name).sort())
  assert.equal(new Set(definitions.map(({ name }) => name)).size, definitions.length)
})

for (const { name, help, type, labels, buckets } of definitions) {
  test(`${name} is named and explained as Prometheus wants it`, () => {
    assert.match(name, /^sluice_[a-z_]+$/)
    assert.equal(name.endsWith('_total'), type === 'counter')
    assert.equal(name.includes('duration'), type === 'histogram')
    assert.match(help, /^(?!\s).+[.]$/)
    assert.equal(new Set(labels).size, labels.length)
    assert.ok(labels.every((label) => /^[a-z_]+$/.test(label) && label !== 'le'))
    assert.deepEqual([...buckets].sort((a, b) => a - b), buckets)
    assert.equal(buckets.length > 0, type === 'histogram')
  })
}
