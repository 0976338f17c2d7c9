import assert from 'node:assert/strict'
import test from 'node:test'
import { connect, raw, values } from '../helpers/client.ts'
import { answer, collectHead, origin, rawOrigin, speak } from '../helpers/origin.ts'
import { start } from '../helpers/proxy.ts'

const get = 'GET /x HTTP/1.1\r\nHost: x\r\n\r\n'
const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

test('relays 1xx heads, several of them, before the response', async (t) => {
  const upstream = await rawOrigin(t, speak(`HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\nlink: </b>\r\nX-Hint: é\r\n\r\nHTTP/1.1 199 Odd\r\n\r\n${ok}`))
  const app = await start(t, { upstream: upstream.url })

  const { informational, status, body } = await raw(t, app.port, get)

  assert.deepEqual(informational.map((head) => head.status), [102, 103, 199])
  assert.deepEqual(values(informational[1]!.rawHeaders, 'link'), ['</a>', '</b>'])
  assert.deepEqual(values(informational[1]!.rawHeaders, 'x-hint'), ['é'])
  assert.deepEqual([status, body.toString()], [200, 'ok'])
})

test('relays a 1xx head at once, not with the response', async (t) => {
  let answerNow = (): void => {}
  const upstream = await rawOrigin(t, async (socket) => {
    await collectHead(socket)
    socket.write('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n')
    answerNow = () => { socket.write(ok) }
  })
  const app = await start(t, { upstream: upstream.url })
  const client = await connect(t, app.port)

  client.write(get)
  await client.until('103 Early Hints\r\nlink: </a>\r\n\r\n')
  answerNow()

  assert.equal((await client.response()).status, 200)
})

test('drops what ends at this hop from 1xx heads too', async (t) => {
  const upstream = await rawOrigin(t, speak(`HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nX-A: 1\r\nConnection: x-a, keep-alive\r\nKeep-Alive: timeout=5\r\nProxy-Authenticate: Basic\r\nUpgrade: h2c\r\nContent-Length: 5\r\n\r\n${ok}`))
  const app = await start(t, { upstream: upstream.url })

  const { informational, body } = await raw(t, app.port, get)

  assert.deepEqual(informational.map(({ rawHeaders }) => rawHeaders), [['link', '</a>']])
  assert.equal(body.toString(), 'ok')
})

test('sends no 1xx head to a client that speaks HTTP/1.0', async (t) => {
  const upstream = await rawOrigin(t, speak(`HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${ok}`))
  const app = await start(t, { upstream: upstream.url })

  const { informational, body } = await raw(t, app.port, 'GET /x HTTP/1.0\r\n\r\n')

  assert.deepEqual(informational, [])
  assert.equal(body.toString(), 'ok')
})

test('sends no 1xx head into the response of an earlier request of a pipeline', async (t) => {
  let answerFirst = (): void => {}
  const upstream = await origin(t,
    (_req, res) => { answerFirst = () => { res.end('first') } },
    (_req, res) => { res.writeEarlyHints({ link: '</a>' }, () => { res.end('second'); answerFirst() }) }
  )
  const app = await start(t, { upstream: upstream.url })
  const client = await connect(t, app.port)

  client.write(get + get)
  const responses = [await client.response(), await client.response()]

  assert.deepEqual(responses.map(({ body }) => body.toString()), ['first', 'second'])
  assert.deepEqual(responses.map(({ informational }) => informational.length), [0, 0])
})

test('tells a client that expects 100-continue to go on, and answers as the upstream does', async (t) => {
  const upstream = await origin(t, answer(201, 'done'))
  const app = await start(t, { upstream: upstream.url })
  const client = await connect(t, app.port)

  client.write('POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n')
  await client.until('HTTP/1.1 100 Continue\r\n\r\n')
  client.write('body')

  assert.equal((await client.response()).status, 201)
  assert.equal(upstream.requests[0]!.body.toString(), 'body')
})

test('takes an upstream that never stops sending 1xx heads for broken', async (t) => {
  const upstream = await rawOrigin(t, speak('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'.repeat(1000)))
  const app = await start(t, { upstream: upstream.url })

  const { status, informational } = await raw(t, app.port, get)

  assert.equal(status, 502)
  assert.ok(informational.length < 100, `${informational.length} heads`)
  await upstream.closed(1)
  assert.equal((await app.line())['error'], 'http_protocol_error')
})
