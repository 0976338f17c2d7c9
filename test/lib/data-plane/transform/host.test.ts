import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SetHost } from '../../../../lib/data-plane/transform/host.ts'
import { exchangeWith } from '../../samples.ts'

function hostSent (fixed: string | null, received: string | undefined): unknown {
  const headers: Record<string, string | string[]> = {}
  new SetHost(fixed).apply({ method: 'GET', path: '/', headers }, exchangeWith({ headers: received === undefined ? {} : { host: received } }))
  return headers['host']
}

test('sends the Host that the client sent', () => assert.equal(hostSent(null, 'shop.example:8080'), 'shop.example:8080'))

test('sends a fixed Host, whatever the client sent', () => {
  assert.equal(hostSent('internal.example', 'shop.example'), 'internal.example')
  assert.equal(hostSent('internal.example', undefined), 'internal.example')
})

test('leaves Host to the endpoint when an HTTP/1.0 client has sent none', () => assert.equal(hostSent(null, undefined), undefined))
