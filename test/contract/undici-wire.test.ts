import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { PassThrough } from 'node:stream'
import test from 'node:test'
import { buildConnector, Client } from 'undici'
import { answer, origin, rawOrigin, speak } from '../helpers/origin.ts'
import { Recorder, send } from './recorder.ts'

/*
 * How undici 7 writes to and reads from the socket that a connector gives it: what lib/data-plane/pool/head-sieve.ts and next-text.ts
 * lean on. When one of these fails, see whether undici has learned the thing by itself.
 */

/** A client, and what it writes to its socket: texts as they are, bytes as Buffers; and how it reads. */
function watched (t: test.TestContext, url: string): { client: Client, written: (string | Buffer)[], reads: unknown[][] } {
  const written: (string | Buffer)[] = []
  const reads: unknown[][] = []
  const connect = buildConnector({})
  const client = new Client(url, {
    connect (options, callback) {
      connect(options, (...result) => {
        const socket = result[1] as Socket | null | undefined
        if (socket === null || socket === undefined) {
          callback(...result)
          return
        }
        const { write, read } = socket
        socket.write = function (this: Socket, ...args: unknown[]) {
          written.push(args[0] as string | Buffer)
          return Reflect.apply(write, this, args) as boolean
        } as typeof write
        socket.read = function (this: Socket, ...args: unknown[]) {
          reads.push(args)
          return Reflect.apply(read, this, args) as unknown
        } as typeof read
        callback(...result)
      })
    }
  })
  t.after(() => client.destroy())
  return { client, written, reads }
}

test('a head is the first thing written for a request, as text that begins with the request line', async (t) => {
  const upstream = await origin(t, answer(200))
  const { client, written } = watched(t, upstream.url)

  await send(client, { method: 'OPTIONS', path: '/*' })

  assert.equal(written.length, 1)
  assert.match(String(written[0]), /^OPTIONS \/\* HTTP\/1\.1\r\n/)
})

test('the end of a chunked body is a text of its own, written once the body has ended', async (t) => {
  const upstream = await origin(t, answer(200))
  const { client, written } = watched(t, upstream.url)
  const body = new PassThrough()
  // One that has ended already has a length.
  setImmediate(() => body.end('body'))

  await send(client, { method: 'POST', body })

  assert.equal(written.at(-1), '\r\n0\r\n\r\n')
  assert.deepEqual(written.filter((chunk) => typeof chunk !== 'string').map(String), ['body'])
})

test('a chunked body of nothing is said by a length of 0, in one text', async (t) => {
  const upstream = await origin(t, answer(200))
  const { client, written } = watched(t, upstream.url)
  const body = new PassThrough()
  setImmediate(() => body.end())

  await send(client, { method: 'POST', body })

  assert.equal(written.length, 1)
  assert.match(String(written[0]), /content-length: 0\r\n\r\n$/)
})

test('reads by read() without a size', async (t) => {
  const upstream = await origin(t, answer(200, 'x'.repeat(200_000)))
  const { client, reads } = watched(t, upstream.url)

  const { body } = await send(client, {})

  assert.equal(body.length, 200_000)
  assert.ok(reads.length > 1)
  // Node looks for more by read(0), which gives nothing.
  assert.ok(reads.every(([size]) => size === undefined || size === 0))
})

test('hands the trailers of an answer over as pairs of buffers', async (t) => {
  const upstream = await rawOrigin(t, speak('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Sum: \xe4\r\n\r\n'))
  const { client } = watched(t, upstream.url)
  let seen: unknown = null
  class TrailerRecorder extends Recorder {
    override onComplete (trailers?: unknown): void {
      seen = trailers
      super.onComplete()
    }
  }

  await send(client, {}, new TrailerRecorder())

  assert.deepEqual(seen, [Buffer.from('X-Sum'), Buffer.from([0xe4])])
})

test('takes * for no path, and an unasked 100 Continue for the end of the connection', async (t) => {
  const upstream = await rawOrigin(t, speak('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'))
  const { client } = watched(t, upstream.url)

  assert.equal((await send(client, { method: 'OPTIONS', path: '*' })).error!.code, 'UND_ERR_INVALID_ARG')
  const { error } = await send(client, {})
  assert.equal(error!.message, 'bad response')
})

test('takes trailers for fields of a head: a length is a fault, in words of its own, and what closes a connection makes the next answer one', async (t) => {
  const chunked = (line: string) => `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n${line}\r\n\r\n`
  for (const [line, faults] of [
    ['Content-Length: 2', ["Response does not match the HTTP/1.1 protocol (Content-Length can't be present with Transfer-Encoding)"]],
    ['Connection: close', [undefined, 'Response does not match the HTTP/1.1 protocol (Data after `Connection: close`)']],
    ['Transfer-Encoding: gzip', [undefined, 'Response does not match the HTTP/1.1 protocol (Data after `Connection: close`)']]
  ] as const) {
    const upstream = await rawOrigin(t, speak(chunked(line)))
    const { client } = watched(t, upstream.url)
    for (const fault of faults) {
      const { error } = await send(client, {})
      assert.equal(error?.message, fault, line)
      if (fault !== undefined) assert.equal(error!.name, 'HTTPParserError')
    }
  }
})
