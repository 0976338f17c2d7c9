import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import test from 'node:test'
import { Client, type Dispatcher } from 'undici'
import { values } from '../helpers/client.ts'
import { answer, counted, drip, echo, origin, rawOrigin, speak, type Echo } from '../helpers/origin.ts'
import { dispatch, poolOf, Recorder, send } from './recorder.ts'

/*
 * What lib/data-plane/attempt.ts and pool/ lean on in undici; an update that breaks one of these says so here by its name.
 */

test('calls a handler in the order connect, sent, head, data, complete', async (t) => {
  const upstream = await origin(t, answer(200, 'body'))

  const { calls, body, heads } = await send(poolOf(t, upstream.url))

  assert.deepEqual(calls, ['onConnect', 'onRequestSent', 'onHeaders', 'onData', 'onComplete'])
  assert.equal(body, 'body')
  assert.equal(heads[0]!.status, 200)
})

test('says that an upload has been sent when its last byte is written, not before', async (t) => {
  const upstream = await origin(t, answer(200))
  const pool = poolOf(t, upstream.url)
  const body = new Readable({ read () {} })
  const handler = new Recorder()

  dispatch(pool, { method: 'POST', body }, handler)
  body.push('first')
  await upstream.until('the first half', () => upstream.requests[0]?.bodyLength === 5)
  assert.deepEqual(handler.calls, ['onConnect'])
  body.push(null)
  await handler.called('onComplete')

  assert.deepEqual(handler.calls, ['onConnect', 'onRequestSent', 'onHeaders', 'onComplete'])
})

test('an answer that comes before the upload is through is handed over, and the upload then never said to be sent', async (t) => {
  const upstream = await origin(t, (_request, response) => { response.end('early') })
  const body = new Readable({ read () {} })
  const handler = new Recorder()

  dispatch(poolOf(t, upstream.url), { method: 'POST', body }, handler)
  body.push('first')
  await handler.called('onHeaders')

  assert.ok(!handler.calls.includes('onRequestSent'))
})

test('hands over headers as pairs of buffers, as they came, repeated ones too', async (t) => {
  const upstream = await rawOrigin(t, speak('HTTP/1.1 200 OK\r\nSet-Cookie: a\r\nX-B: \xe4\r\nset-cookie: b\r\nContent-Length: 0\r\n\r\n'))

  const { heads } = await send(poolOf(t, upstream.url))

  assert.ok(heads[0]!.raw.every((part) => Buffer.isBuffer(part)))
  assert.deepEqual(heads[0]!.raw.map((part) => part.toString('latin1')), ['Set-Cookie', 'a', 'X-B', '\xe4', 'set-cookie', 'b', 'Content-Length', '0'])
})

test('hands over 1xx heads as heads, before that of the answer', async (t) => {
  const upstream = await rawOrigin(t, speak('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'))

  const { heads, body } = await send(poolOf(t, upstream.url))

  assert.deepEqual(heads.map(({ status }) => status), [103, 102, 200])
  assert.equal(body, 'ok')
})

test('whatever came together with the head is handed over before the turn of the event loop is over', async (t) => {
  const upstream = await rawOrigin(t, speak('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody'))
  let seen: string[] = []
  const handler: Recorder = new Recorder({ onHeaders () { setImmediate(() => { seen = [...handler.calls] }) } })

  await send(poolOf(t, upstream.url), {}, handler)
  await new Promise((resolve) => setImmediate(resolve))

  assert.deepEqual(seen.slice(-3), ['onHeaders', 'onData', 'onComplete'])
})

test('stops reading when onData gives false, until it is resumed', async (t) => {
  const upstream = await origin(t, answer(200, 'x'.repeat(8_000_000)))
  const handler = new Recorder({ onData: () => false })
  const chunks = () => handler.calls.filter((call) => call === 'onData').length

  dispatch(poolOf(t, upstream.url), {}, handler)
  await handler.called('onData')
  const before = chunks()
  await new Promise((resolve) => setTimeout(resolve, 20))
  assert.equal(chunks(), before)
  const pump = setInterval(() => { handler.resume() }, 1)
  t.after(() => { clearInterval(pump) })
  await handler.called('onComplete')

  assert.equal(handler.body.length, 8_000_000)
})

test('what onHeaders throws ends the request with that error, and its connection', async (t) => {
  const upstream = await origin(t, drip(['a', 'b'], 50))
  const thrown = new Error('no such head')

  const { error } = await send(poolOf(t, upstream.url), {}, new Recorder({ onHeaders () { throw thrown } }))

  assert.equal(error, thrown)
  await upstream.closed(1)
})

test('what onConnect throws takes the request off the queue and leaves the connection to the next', async (t) => {
  const upstream = await origin(t, answer(200, 'ok'))
  const pool = poolOf(t, upstream.url)
  const thrown = new Error('given up')
  const [first, second, third] = [new Recorder(), new Recorder({ onConnect () { throw thrown } }), new Recorder()]

  for (const handler of [first, second, third]) dispatch(pool, {}, handler)
  await third.called('onComplete')

  assert.equal(first.body + third.body, 'okok')
  assert.deepEqual([second.calls, second.error], [['onConnect', 'onError'], thrown])
  assert.deepEqual([upstream.hits, upstream.connections], [2, 1])
})

test('so does what it throws on the very first connection', async (t) => {
  const upstream = await origin(t, answer(200, 'ok'))
  const pool = poolOf(t, upstream.url)

  const first = await send(pool, {}, new Recorder({ onConnect () { throw new Error('given up') } }))
  const second = await send(pool)

  assert.deepEqual(first.calls, ['onConnect', 'onError'])
  assert.equal(second.body, 'ok')
  assert.deepEqual([upstream.hits, upstream.connections], [1, 1])
})

const framings: { what: string, body: Buffer | Readable | null, headers?: Record<string, string>, framing: Record<string, string | undefined> }[] = [
  { what: 'a buffer', body: Buffer.from('text'), framing: { 'content-length': '4', 'transfer-encoding': undefined } },
  { what: 'a stream', body: Readable.from(['te', 'xt']), framing: { 'content-length': undefined, 'transfer-encoding': 'chunked' } },
  { what: 'a stream with a length', body: Readable.from(['te', 'xt']), headers: { 'content-length': '4' }, framing: { 'content-length': '4', 'transfer-encoding': undefined } },
  { what: 'no body', body: null, framing: { 'content-length': '0', 'transfer-encoding': undefined } }
]

for (const { what, body, headers = {}, framing } of framings) {
  test(`frames ${what} of a POST by itself`, async (t) => {
    const upstream = await origin(t, counted(echo()))

    const { body: text } = await send(poolOf(t, upstream.url), { method: 'POST', body, headers })

    const seen = (JSON.parse(text) as Echo).headers
    assert.deepEqual({ 'content-length': seen['content-length'], 'transfer-encoding': seen['transfer-encoding'] }, framing)
  })
}

test('writes a header with several values as several lines, and the Host that it is given', async (t) => {
  const upstream = await origin(t, echo())

  const { body } = await send(poolOf(t, upstream.url), { headers: { host: 'shop.test', 'x-a': ['1', '2'], cookie: 'a=1' } })

  const { rawHeaders } = JSON.parse(body) as Echo
  assert.deepEqual(['host', 'x-a', 'cookie'].map((name) => values(rawHeaders, name)), [['shop.test'], ['1', '2'], ['a=1']])
})

test('a client hands the same handler on that it was given: it is not wrapped', async (t) => {
  const upstream = await origin(t, answer(200))
  const given: unknown[] = []
  class Watching extends Client {
    override dispatch (options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
      given.push(handler, this)
      return super.dispatch(options, handler)
    }
  }
  const made: Client[] = []
  const pool = poolOf(t, upstream.url, {
    factory: (origin: URL | string, options: object) => {
      const client = new Watching(origin, options)
      made.push(client)
      return client
    }
  })
  const [first, second] = [new Recorder(), new Recorder()]

  // The second waits in the pool's queue and is dispatched from there.
  dispatch(pool, {}, first)
  dispatch(pool, {}, second)
  await second.called('onComplete')

  assert.equal(made.length, 1)
  assert.deepEqual(given.map((item) => [first, second, made[0]].indexOf(item as Recorder)), [0, 2, 1, 2])
})
