import assert from 'node:assert/strict'
import { once } from 'node:events'
import http2, { type ClientHttp2Stream, type ServerHttp2Stream } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import { block, connectFrames, END_HEADERS, END_STREAM, frame, framesOrigin, uint32 } from '../helpers/frames.ts'
import { eventually } from '../helpers/until.ts'

/* What is leaned on in node:http2; see lib/data-plane/http2-reply.ts and pool/http2-request.ts. */

/** Ends seen by `push`, each with whether the stream was marked as closed. */
async function ends (t: TestContext, end: (stream: number) => Buffer): Promise<{ closed: boolean[], ended: boolean }> {
  const upstream = await framesOrigin(t, ({ type, stream }, wire) => {
    if (type === 'HEADERS') wire.write(frame('HEADERS', END_HEADERS, stream, block([[':status', '200']])), frame('DATA', 0, stream, 'abc'), end(stream))
  })
  const session = http2.connect(upstream.url)
  t.after(() => { session.destroy() })
  const stream = session.request({ ':path': '/' })
  const closed: boolean[] = []
  let ended = false
  const { push } = stream
  stream.push = function (this: ClientHttp2Stream, chunk: unknown): boolean {
    if (chunk === null) closed.push(this.closed)
    return push.call(this, chunk)
  }
  stream.on('error', () => {}).on('end', () => { ended = true }).resume()
  await once(stream, 'close')
  return { closed, ended }
}

test('a reset with NO_ERROR ends a stream like END_STREAM does, but marks it as closed first', async (t) => {
  const whole = await ends(t, (stream) => frame('DATA', END_STREAM, stream, 'd'))
  const reset = await ends(t, (stream) => frame('RST_STREAM', 0, stream, uint32(0)))

  assert.equal(whole.closed[0], false)
  assert.equal(reset.ended, true)
  assert.equal(reset.closed.includes(false), false)
})

test('END_STREAM and a reset in one read are an end', async (t) => {
  const both = await ends(t, (stream) => Buffer.concat([frame('DATA', END_STREAM, stream), frame('RST_STREAM', 0, stream, uint32(0))]))

  assert.equal(both.closed[0], false)
})

test('trailers come before the end, the head before its body', async (t) => {
  const upstream = await framesOrigin(t, ({ type, stream }, wire) => {
    if (type !== 'HEADERS') return
    wire.write(
      frame('HEADERS', END_HEADERS, stream, block([[':status', '200'], ['x-own', 'caf\u00e9']])), frame('DATA', 0, stream, 'abc'),
      frame('HEADERS', END_HEADERS | END_STREAM, stream, block([['x-sum', '3']]))
    )
  })
  const session = http2.connect(upstream.url)
  t.after(() => { session.destroy() })
  const stream = session.request({ ':path': '/' })
  const seen: unknown[] = []
  stream.on('response', (_fields, _flags, raw?: unknown) => {
    seen.push(raw)
    stream.on('data', (chunk: Buffer) => seen.push(String(chunk))).on('end', () => seen.push('end'))
  })
  stream.on('trailers', (_fields: unknown, _flags: unknown, raw?: unknown) => seen.push(raw))
  await once(stream, 'close')

  assert.deepEqual(seen, [[':status', '200', 'x-own', 'caf\u00e9'], 'abc', ['x-sum', '3'], 'end'])
})

test('a request that waits for trailers is reset without END_STREAM', async (t) => {
  const upstream = await framesOrigin(t, () => {})
  const session = http2.connect(upstream.url)
  t.after(() => { session.destroy() })
  const stream = session.request({ ':method': 'POST', ':path': '/' }, { endStream: false, waitForTrailers: true })
  stream.on('error', () => {})
  await new Promise<void>((resolve) => { stream.write('part', () => { resolve() }) })
  stream.close(8)
  await once(stream, 'close')
  const wire = upstream.wires[0]!

  assert.equal(await wire.reset(1), 8)
  assert.deepEqual(wire.frames.filter((one) => one.stream === 1 && one.type === 'DATA').map(({ flags }) => flags & END_STREAM), [0])
})

test('nor has one END_STREAM that is reset an immediate after its answer came; without it, in Node 24, it has', async (t) => {
  const upstream = await framesOrigin(t, ({ type, stream }, wire) => {
    if (type === 'HEADERS') wire.write(frame('HEADERS', END_HEADERS, stream, block([[':status', '413']])), frame('DATA', END_STREAM, stream, 'no'))
  })
  const session = http2.connect(upstream.url)
  t.after(() => { session.destroy() })
  const stream = session.request({ ':method': 'POST', ':path': '/' }, { endStream: false, waitForTrailers: true })
  stream.on('error', () => {}).on('end', () => { setImmediate(() => { stream.close(8) }) }).resume().write('part')
  await once(stream, 'close')
  const wire = upstream.wires[0]!

  assert.equal(await wire.reset(1), 8)
  assert.deepEqual(wire.frames.filter((one) => one.stream === 1 && one.type === 'DATA').map(({ flags }) => flags & END_STREAM), [0])
})

async function answering (t: TestContext, act: (stream: ServerHttp2Stream, response: http2.Http2ServerResponse) => void): Promise<ReturnType<typeof connectFrames>> {
  const server = http2.createServer((_request, response) => { act(response.stream, response) })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => { server.close() })
  const wire = await connectFrames(t, (server.address() as AddressInfo).port)
  wire.write(frame('HEADERS', END_HEADERS | END_STREAM, 1, block([[':method', 'GET'], [':path', '/'], [':scheme', 'http'], [':authority', 'a']])))
  return wire
}

test('a response that is closed with a code is reset without END_STREAM, one that is destroyed with NO_ERROR', async (t) => {
  const closed = await answering(t, (stream, response) => { response.write('part', () => { stream.close(2) }) })
  const destroyed = await answering(t, (_stream, response) => { response.write('part', () => { response.destroy() }) })

  assert.equal(await closed.reset(1), 2)
  assert.equal(await destroyed.reset(1), 0)
  for (const wire of [closed, destroyed]) assert.equal(wire.frames.some((one) => one.type === 'DATA' && (one.flags & END_STREAM) !== 0), false)
})

test('a head that is written with the end has END_STREAM, one that is written before has not', async (t) => {
  const together = await answering(t, (_stream, response) => {
    response.setHeader('x-own', '1')
    response.end()
  })
  const apart = await answering(t, (_stream, response) => { response.writeHead(200).end() })

  assert.equal((await together.frame('HEADERS', 1)).flags & END_STREAM, END_STREAM)
  assert.equal((await apart.frame('HEADERS', 1)).flags & END_STREAM, 0)
})

test('a response says finish before its END_STREAM goes out, and a stream that is closed in between is cut', async (t) => {
  const states: (number | undefined)[] = []
  for (const isAwaited of [false, true]) {
    const server = http2.createServer((request, response) => {
      const { stream } = response
      // Of a request that nobody reads, Node does the same by itself.
      request.resume()
      stream.once('finish', () => {
        states.push(stream.state.localClose)
        if (!isAwaited) stream.close(0)
        else {
          const timer = setInterval(() => {
            if (stream.state.localClose !== 1 && !stream.destroyed) return
            clearInterval(timer)
            stream.close(0)
          }, 5)
        }
      })
      response.writeHead(405).end('no')
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.after(() => { server.close() })
    const wire = await connectFrames(t, (server.address() as AddressInfo).port)
    wire.write(frame('HEADERS', END_HEADERS, 1, block([[':method', 'POST'], [':path', '/'], [':scheme', 'http'], [':authority', 'a']])))

    assert.equal(await wire.reset(1), 0)
    assert.equal(wire.frames.some((one) => one.stream === 1 && one.type !== 'RST_STREAM' && (one.flags & END_STREAM) !== 0), isAwaited)
  }
  assert.deepEqual(states, [0, 0])
})

test('a stream that its client resets with NO_ERROR stays while some of its answer is unwritten, and loses its timeout', async (t) => {
  for (const isEnded of [false, true]) {
    let stream: ServerHttp2Stream | null = null
    const timeouts: (readonly [ms: number, closed: boolean, code: number | undefined])[] = []
    const server = http2.createServer((_request, response) => {
      stream = response.stream
      const { setTimeout } = stream
      stream.setTimeout = function (ms, callback): void {
        timeouts.push([ms, this.closed, this.rstCode])
        setTimeout.call(this, ms, callback)
      }
      response.writeHead(200)
      if (isEnded) response.end(Buffer.alloc(120_000))
      else response.write(Buffer.alloc(120_000))
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.after(() => { server.close() })
    const wire = await connectFrames(t, (server.address() as AddressInfo).port)
    wire.write(frame('HEADERS', END_HEADERS | END_STREAM, 1, block([[':method', 'GET'], [':path', '/'], [':scheme', 'http'], [':authority', 'a']])))
    await eventually('the body', () => wire.frames.filter(({ type }) => type === 'DATA').length > 3)
    wire.write(frame('RST_STREAM', 0, 1, uint32(0)))
    await eventually('the reset', () => stream!.closed)
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve))

    assert.equal(stream!.destroyed, false)
    assert.deepEqual(timeouts, [[0, true, 0]])
    stream!.destroy()
  }
})

test('streams that a GOAWAY leaves out have an id above the last one that it names, and end with REFUSED_STREAM or the session', async (t) => {
  for (const code of [0, 2]) {
    const upstream = await framesOrigin(t, ({ type, stream }, wire) => {
      if (type === 'HEADERS' && stream === 3) wire.write(frame('GOAWAY', 0, 0, uint32(1, code)))
    })
    const session = http2.connect(upstream.url)
    session.on('error', () => {})
    t.after(() => { session.destroy() })
    let last = -1
    session.on('goaway', (_code, lastStreamId) => { last = lastStreamId })
    const taken = session.request({ ':path': '/' }).on('error', () => {})
    const left = session.request({ ':path': '/' }).on('error', () => {})
    // Not once(), which fails with the stream's error.
    await new Promise<void>((resolve) => { left.on('close', resolve) })

    assert.deepEqual([last, taken.id, left.id], [1, 1, 3])
    assert.equal(taken.destroyed, code !== 0)
  }
})
