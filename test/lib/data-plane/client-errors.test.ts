import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import type { Server } from 'node:http'
import { test } from 'node:test'
import { guardResponses } from '../../../lib/data-plane/client-errors.ts'

interface Fields { headersSent?: boolean, writableFinished?: boolean, complete?: boolean }

/** What becomes of a parse error while this response has its turn; undefined for none. */
function outcome (fields?: Fields): { isAnswered: boolean, isCut: boolean, keepsAlive: boolean } {
  const server = new EventEmitter()
  let isAnswered = false
  let isCut = false
  server.on('clientError', () => { isAnswered = true })
  guardResponses(server as Server)
  const response = fields === undefined
    ? null
    : {
        headersSent: fields.headersSent ?? false,
        writableFinished: fields.writableFinished ?? false,
        shouldKeepAlive: true,
        socket: null,
        req: { complete: fields.complete ?? false, httpVersion: '1.1', httpVersionMajor: 1 },
        hasHeader: () => true,
        destroy: () => { isCut = true }
      }
  server.emit('clientError', new Error('parse'), { _httpMessage: response })
  return { isAnswered, isCut, keepsAlive: response?.shouldKeepAlive ?? true }
}

test('leaves an error to those who answer it where no response is under way, or its own request is what is broken', () => {
  for (const fields of [undefined, {}, { headersSent: true, writableFinished: true, complete: true }]) {
    assert.deepEqual(outcome(fields), { isAnswered: true, isCut: false, keepsAlive: true })
  }
})

test('lets a whole request have its answer, and the connection end with it', () => {
  assert.deepEqual(outcome({ complete: true }), { isAnswered: false, isCut: false, keepsAlive: false })
  assert.deepEqual(outcome({ complete: true, headersSent: true }), { isAnswered: false, isCut: false, keepsAlive: true })
})

test('cuts off an answer that has begun, when its request breaks', () => {
  assert.deepEqual(outcome({ headersSent: true }), { isAnswered: false, isCut: true, keepsAlive: true })
})
