import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { test } from 'node:test'
import { isUnderWay, Lingering } from '../../../lib/data-plane/lingering.ts'

interface Rig {
  readonly lingering: Lingering
  readonly isWatching: boolean
  pass (milliseconds: number): void
}

function rig (): Rig {
  let now = 5000
  let turn: (() => void) | null = null
  const lingering = new Lingering({
    now: () => now,
    every (milliseconds, fn) {
      assert.equal(milliseconds, 50)
      assert.equal(turn, null, 'one timer at most')
      turn = fn
      return { stop: () => { turn = null }, hold: () => assert.fail('a connection holds the process') }
    }
  })
  return {
    lingering,
    get isWatching () { return turn !== null },
    pass (milliseconds) {
      for (const end = now + milliseconds; now < end;) {
        now += 50
        turn?.()
      }
    }
  }
}

interface Counted { bytesRead: number, parser: { incoming: unknown, onIncoming: (request: object) => number } | null }

interface Upload {
  readonly socket: Socket & Counted
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly ends: number
}

/** A connection with an upload that is under way, and its answer out. */
function answered ({ server = {}, minor = 1, writableFinished = true, complete = false }: { server?: object, minor?: number, writableFinished?: boolean, complete?: boolean } = {}): Upload {
  const socket = new Socket({ allowHalfOpen: true }) as Upload['socket']
  let ends = 0
  Object.defineProperty(socket, 'bytesRead', { value: 100, writable: true })
  Object.assign(socket, { end: () => { ends++ } })
  const request = Object.assign(new EventEmitter(), { headers: { 'transfer-encoding': 'chunked' }, httpVersionMajor: 1, httpVersionMinor: minor, complete, socket, resume () {} }) as unknown as IncomingMessage
  const response = { req: request, writableFinished } as unknown as ServerResponse
  Object.assign(socket, { server, parser: { incoming: request, onIncoming: () => assert.fail('served') } })
  return { socket, request, response, get ends () { return ends } }
}

/** As Node ends a connection. */
function linger ({ lingering }: Rig, upload: Upload): Upload {
  lingering.expect(upload.response)
  upload.socket.destroySoon()
  return upload
}

test('a connection behind an early answer stays open until the upload has been read', () => {
  const wheel = rig()
  const upload = linger(wheel, answered())
  wheel.pass(1000)
  assert.deepEqual([upload.socket.destroyed, upload.ends, wheel.lingering.has(upload.socket)], [false, 0, true])

  upload.request.emit('end')

  assert.deepEqual([upload.ends, wheel.lingering.size], [1, 0])
  wheel.pass(50)
  assert.equal(wheel.isWatching, false)
})

test('no request behind it is taken, and none becomes an upgrade', () => {
  const wheel = rig()
  const { socket } = linger(wheel, answered())
  const next = { upgrade: true }

  assert.equal(socket.parser!.onIncoming(next), 0)
  assert.equal(next.upgrade, false)
})

test('a client that falls silent for 2 s is cut, one that sends is not', () => {
  const wheel = rig()
  const { socket } = linger(wheel, answered())
  for (let count = 0; count < 5; count++) {
    wheel.pass(1900)
    socket.bytesRead++
    wheel.pass(50)
    assert.equal(socket.destroyed, false)
  }
  wheel.pass(1900)
  assert.equal(socket.destroyed, false)
  wheel.pass(100)
  assert.deepEqual([socket.destroyed, wheel.isWatching], [true, false])
})

test('a client that never stops is cut after 30 s, or behind 64 MiB', () => {
  const wheel = rig()
  const { socket: slow } = linger(wheel, answered())
  const { socket: quick } = linger(wheel, answered())
  quick.bytesRead += 64 * 1024 * 1024
  for (let passed = 0; passed < 29_950; passed += 50) {
    slow.bytesRead++
    if (passed < 1000) quick.bytesRead += 0
    if (passed === 1000) quick.bytesRead++
    wheel.pass(50)
    if (passed === 950) assert.equal(quick.destroyed, false)
    if (passed === 1000) assert.equal(quick.destroyed, true)
  }
  assert.equal(slow.destroyed, false)
  wheel.pass(50)
  assert.equal(slow.destroyed, true)
})

test('when its server closes, a connection lingers for 2 s at most, and others as ever', () => {
  const wheel = rig()
  const [closing, staying] = [{}, {}]
  const before = linger(wheel, answered({ server: closing }))
  const elsewhere = linger(wheel, answered({ server: staying }))
  wheel.lingering.drain(closing)
  const after = linger(wheel, answered({ server: closing }))
  const pass = (milliseconds: number): void => {
    for (let passed = 0; passed < milliseconds; passed += 50) {
      for (const { socket } of [before, elsewhere, after]) socket.bytesRead++
      wheel.pass(50)
    }
  }
  pass(1950)
  assert.deepEqual([before, elsewhere, after].map(({ socket }) => socket.destroyed), [false, false, false])
  pass(50)
  assert.deepEqual([before, elsewhere, after].map(({ socket }) => socket.destroyed), [true, false, true])
})

test('a kept connection goes on behind the upload, and is cut by the same bounds', () => {
  const wheel = rig()
  const [whole, silent] = [answered(), answered()]
  for (const { request } of [whole, silent]) wheel.lingering.bound(request)
  whole.request.emit('end')
  wheel.pass(2000)

  assert.deepEqual([whole.socket.destroyed, whole.ends, silent.socket.destroyed], [false, 0, true])
  assert.notEqual(whole.socket.parser!.onIncoming, silent.socket.parser)
})

test('of HTTP/1.0 the connection’s end is said at once, which may be the end of the answer', () => {
  const wheel = rig()
  const upload = linger(wheel, answered({ minor: 0 }))

  assert.deepEqual([upload.ends, upload.socket.destroyed], [1, false])
})

test('nothing lingers where the request is whole, unanswered, or no longer the one that is read', () => {
  const wheel = rig()
  const whole = answered()
  wheel.lingering.expect(whole.response)
  Object.assign(whole.request, { complete: true })
  const unanswered = answered({ writableFinished: false })
  wheel.lingering.expect(unanswered.response)
  const behind = answered()
  wheel.lingering.expect(behind.response)
  behind.socket.parser!.incoming = {}
  const gone = answered()
  wheel.lingering.expect(gone.response)
  gone.socket.destroy()
  const left = answered()
  wheel.lingering.expect(left.response)
  left.socket.parser = null
  for (const { socket } of [whole, unanswered, behind, gone, left]) socket.destroySoon()
  wheel.lingering.bound(whole.request)
  wheel.lingering.bound(gone.request)
  wheel.lingering.bound(left.request)

  assert.deepEqual([wheel.lingering.size, wheel.isWatching], [0, false])
  const plain = answered({ complete: true })
  wheel.lingering.expect(plain.response)
  assert.equal(plain.socket.destroySoon, Socket.prototype.destroySoon)
})

test('a request is under way while a body that its head tells of has not come to its end', () => {
  const headed = (headers: object, fields: object = {}): IncomingMessage => ({ complete: false, httpVersionMajor: 1, headers, ...fields }) as unknown as IncomingMessage
  for (const [request, seen] of [
    [headed({ 'content-length': '1' }), true], [headed({ 'transfer-encoding': 'chunked' }), true], [headed({ 'content-length': '0' }), false], [headed({}), false],
    [headed({ 'content-length': '1' }, { complete: true }), false], [headed({ 'content-length': '1' }, { httpVersionMajor: 2 }), false]
  ] as const) assert.equal(isUnderWay(request), seen)
})
