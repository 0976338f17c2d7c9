import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { test } from 'node:test'
import { ClientSessions } from '../../../lib/data-plane/client-sessions.ts'

class Session extends EventEmitter {
  isClosed = false
  close (): void { this.isClosed = true }
}

test('sends every open session away, also one that comes while the app closes, and forgets those that are gone', () => {
  const server = new EventEmitter()
  const sessions = new ClientSessions(server)
  const [gone, open, late] = [new Session(), new Session(), new Session()]
  server.emit('session', gone)
  server.emit('session', open)
  gone.emit('close')
  assert.equal(sessions.size, 1)

  sessions.drain()
  server.emit('session', late)

  assert.deepEqual([gone.isClosed, open.isClosed, late.isClosed], [false, true, true])
})
