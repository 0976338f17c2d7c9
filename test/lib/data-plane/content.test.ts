import assert from 'node:assert/strict'
import { test } from 'node:test'
import { announcedLength, hasNoBody, isMediaType } from '../../../lib/data-plane/content.ts'

test('204 and 304 are heads alone', () => {
  assert.deepEqual([200, 204, 205, 206, 304, 404].filter(hasNoBody), [204, 304])
})

test('a length promises what comes, and nothing where nothing comes', () => {
  assert.equal(announcedLength('GET', 200, { 'content-length': '5' }), 5)
  assert.equal(announcedLength('HEAD', 200, { 'content-length': '5' }), 0)
  assert.equal(announcedLength('GET', 304, { 'content-length': '5' }), 0)
  assert.ok(Number.isNaN(announcedLength('GET', 200, {})))
})

test('takes for a media type what Fastify takes for one', () => {
  const types = ['text/html', 'text/html; charset=utf-8', 'application/vnd.api+json', 'a/b ;c']
  assert.deepEqual([...types, '', 'text', 'text/', '/html', 'text/html,', undefined, ['text/html', 'text/plain']].filter(isMediaType), types)
})
