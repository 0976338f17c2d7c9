import assert from 'node:assert/strict'
import { test } from 'node:test'
import { outlierSchema } from '../../../../lib/control-plane/outlier/index.ts'

test('every option of ejection has a default, so that it is on without being asked for', () => {
  const properties = outlierSchema['properties'] as Record<string, { default?: number }>
  // The one that depends on another is completed by config/upstream-policies.ts.
  assert.deepEqual(Object.entries(properties).filter(([, { default: value }]) => typeof value !== 'number').map(([name]) => name), ['maxEjection'])
})
