import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ProxyCanary } from '../../../lib/model/canary.ts'
import { upstreamOf } from '../samples.ts'

test('holds what it was given, and has not fallen back yet', () => {
  const settings = {
    name: 'next',
    upstream: upstreamOf('next', []),
    header: 'x-canary',
    cookie: 'canary',
    values: new Set(['beta']),
    sticky: () => 'key',
    onEmpty: 'fail' as const,
    fallback: true,
    weight: 12.5
  }
  assert.deepEqual({ ...new ProxyCanary(settings) }, { ...settings, fallbacks: 0 })
})
