import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Expose } from '../../../../lib/data-plane/transform/expose.ts'
import { ProxyCanary } from '../../../../lib/model/canary.ts'
import { attemptOf, exchangeWith } from '../../samples.ts'

function exposed (headers: Record<string, string | string[]> = {}, isCanary = false): object {
  const exchange = exchangeWith({ startedAt: 100 })
  if (isCanary) {
    exchange.canary = new ProxyCanary({ name: 'next', upstream: exchange.upstream, header: null, cookie: null, values: null, sticky: null, onEmpty: 'stable', fallback: false, weight: 0 })
  }
  // A millisecond of it in the upstream's own queue.
  Object.assign(exchange, { attempts: 1, attemptedAt: 102.004, queueTime: 1 })
  exchange.last = attemptOf(exchange, { startedAt: 102.004, sentAt: 104.504, connectTime: 2, writtenAt: 110.504, headAt: 150.126 })
  new Expose().apply({ statusCode: 200, headers }, exchange)
  return headers
}

const timing = 'upstream;dur=48.12, proxy;dur=1, queue;dur=1.5, connect;dur=2, request;dur=6, ttfb;dur=39.62'

test('shows which variant answered, and where the time went', () => {
  assert.deepEqual(exposed(), { 'x-variant': 'stable', 'server-timing': timing })
  assert.deepEqual(exposed({}, true), { 'x-variant': 'next', 'server-timing': timing })
})

test('lets no upstream say which variant it is', () => {
  assert.deepEqual(exposed({ 'x-variant': 'forged' }), { 'x-variant': 'stable', 'server-timing': timing })
})

test('adds its times to those of the upstream', () => {
  assert.deepEqual(exposed({ 'server-timing': 'db;dur=3' }), { 'x-variant': 'stable', 'server-timing': ['db;dur=3', timing] })
  assert.deepEqual(exposed({ 'server-timing': ['db;dur=3', 'tpl;dur=4'] }), { 'x-variant': 'stable', 'server-timing': ['db;dur=3', 'tpl;dur=4', timing] })
})
