import assert from 'node:assert/strict'
import test from 'node:test'
import { connect, raw } from '../helpers/client.ts'
import { answer, blackhole, collectHead, gated, origin, rawOrigin, refusedPort, speak } from '../helpers/origin.ts'
import { start } from '../helpers/proxy.ts'

const expecting = (path = '/x', more = '') => `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n${more}\r\n`
const goOn = 'HTTP/1.1 100 Continue\r\n\r\n'

test('a client that expects 100 Continue gets it, and its answer', async (t) => {
  const upstream = await origin(t, answer(201, 'done'))
  const app = await start(t, { upstream: upstream.url })
  const client = await connect(t, app.port)

  for (const expectation of ['100-continue', '100-Continue']) {
    client.write(`PUT /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nExpect: ${expectation}\r\n\r\n`)
    await client.until((received) => received.toString('latin1').split(goOn).length > upstream.hits + 1 || received.toString('latin1').endsWith(goOn))
    client.write('4\r\nbody\r\n0\r\n\r\n')
    const { status, informational } = await client.response()
    assert.deepEqual([status, informational.map((head) => head.status)], [201, [100]])
  }

  assert.deepEqual(upstream.requests.map(({ body, headers }) => [body.toString(), headers['expect']]), [['body', undefined], ['body', undefined]])
  assert.equal(upstream.connections, 1)
})

test('says 100 Continue only once an upstream is connected', async (t) => {
  const nobody = await blackhole(t)
  const app = await start(t, { upstream: { endpoints: [nobody.url], pool: { connectTimeout: 200 } } })

  const { status, informational, headers } = await raw(t, app.port, expecting())

  assert.deepEqual([status, informational, headers['connection']], [504, [], 'close'])
})

test('refuses without 100 Continue what no upstream takes, and what auth does not let pass, and closes', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, {
    routes: [
      { url: '/gone', upstream: `http://127.0.0.1:${await refusedPort()}` },
      { url: '/closed', upstream: upstream.url, onRequest: async (_request, reply) => { await reply.code(401).send('who?') } },
      { url: '/small', upstream: upstream.url, bodyLimit: 3 }
    ]
  })

  for (const [path, expected] of [['/gone', 502], ['/closed', 401], ['/small', 413], ['/none', 404]] as const) {
    const { status, informational, headers } = await raw(t, app.port, expecting(path))
    // Nobody knows whether the client still sends its body: what follows could be that, or a request.
    assert.deepEqual([status, informational, headers['connection']], [expected, [], 'close'], path)
  }
  assert.equal(upstream.hits, 0)
})

test('a client that does not wait for 100 Continue is served all the same', async (t) => {
  const upstream = await origin(t, answer(200, 'ok'))
  const app = await start(t, { upstream: upstream.url })
  const client = await connect(t, app.port)

  client.write(`${expecting()}body${expecting()}next`)

  assert.deepEqual([(await client.response()).status, (await client.response()).status], [200, 200])
  assert.deepEqual(upstream.requests.map(({ body }) => body.toString()), ['body', 'next'])
})

/** An upstream that holds the answer to `/first` until it is told not to. */
async function holding (t: test.TestContext) {
  const first = gated(answer(200, 'to /first'))
  const second = answer(200, 'to /second')
  const upstream = await origin(t, (req, res, n) => { (req.url === '/first' ? first.step : second)(req, res, n) })
  return { upstream, release: first.release }
}

test('in a pipeline, no 100 Continue stands between a head and its body, whichever answer is there first', async (t) => {
  const { upstream, release } = await holding(t)
  const app = await start(t, { upstream: upstream.url }, {
    before: (app) => {
      app.addHook('onSend', async ({ url }) => { if (url === '/second') setImmediate(release) })
    }
  })
  const client = await connect(t, app.port)

  client.write(`GET /first HTTP/1.1\r\nHost: x\r\n\r\n${expecting('/second')}body`)
  const answers = [await client.response(), await client.response()]

  assert.deepEqual(answers.map(({ status, body, informational }) => [status, body.toString(), informational]), [[200, 'to /first', []], [200, 'to /second', []]])
  assert.deepEqual(upstream.requests.map(({ body }) => body.toString()), ['', 'body'])
})

test('in a pipeline, 100 Continue is said when it is the turn of the request', async (t) => {
  const { upstream, release } = await holding(t)
  const app = await start(t, { upstream: upstream.url }, {
    before: (app) => {
      app.addHook('onRequest', async ({ url, raw }) => {
        if (url !== '/second') return
        const { read } = raw
        raw.read = function readEarly (size) {
          raw.read = read
          setImmediate(release)
          return read.call(raw, size) as unknown
        }
      })
    }
  })
  const client = await connect(t, app.port)

  client.write(`GET /first HTTP/1.1\r\nHost: x\r\n\r\n${expecting('/second')}`)
  const first = await client.response()
  await client.until(goOn)
  client.write('body')
  const second = await client.response()

  assert.deepEqual([first, second].map(({ status, body, informational }) => [status, body.toString(), informational.length]), [[200, 'to /first', 0], [200, 'to /second', 1]])
})

test("the app's own routes say 100 Continue when they read the body", async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, { prefix: '/api', upstream: upstream.url }, { after: (app) => { app.post('/own', async (request) => request.body) } })
  const client = await connect(t, app.port)

  client.write(expecting('/own', 'Content-Type: text/plain\r\n'))
  await client.until(goOn)
  client.write('body')

  assert.equal((await client.response()).body.toString(), 'body')
})

test('an expectation of HTTP/1.0 is ignored, and one that nobody knows is 417', async (t) => {
  const upstream = await origin(t, answer(200, 'ok'))
  const app = await start(t, { upstream: upstream.url })

  const old = await raw(t, app.port, 'POST /x HTTP/1.0\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\nbody')
  const unknown = await raw(t, app.port, 'GET /x HTTP/1.1\r\nHost: x\r\nExpect: 200-maybe\r\n\r\n')

  assert.deepEqual([old.status, old.informational], [200, []])
  assert.deepEqual([unknown.status, upstream.hits], [417, 1])
})

test('an upstream that answers instead of reading is heard, and its connection not used again', async (t) => {
  const upstream = await rawOrigin(t, async (socket) => {
    await collectHead(socket)
    socket.write('HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n')
  })
  const app = await start(t, { upstream: upstream.url })
  const client = await connect(t, app.port)

  client.write('POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n\r\n')
  await client.until(goOn)
  client.write('begin')
  const { status, headers } = await client.response()
  await upstream.closed(1)

  assert.deepEqual([status, headers['connection']], [417, 'close'])
})

test('takes a 100 Continue of an upstream that nobody asked for, wherever it is cut, before other heads and behind them', async (t) => {
  const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
  const hint = 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'
  const withFields = 'HTTP/1.1 100 Go on\r\nX-A: 1\r\n\r\n'
  const answers = [goOn + ok, goOn + withFields + ok, hint + goOn + ok, goOn + hint + ok]
  const pieces: string[][] = answers.map((text) => [text])
  // One after the other, each as a packet of its own.
  for (const at of [3, 9, 12, 20, goOn.length, goOn.length + 5, goOn.length + 12]) pieces.push([answers[0]!.slice(0, at), answers[0]!.slice(at)])
  for (const at of [hint.length, hint.length + 3, hint.length + 14, hint.length + goOn.length]) pieces.push([answers[2]!.slice(0, at), answers[2]!.slice(at)])
  const upstream = await rawOrigin(t, async (socket) => {
    socket.setNoDelay(true)
    for (const [first, second] of pieces) {
      await collectHead(socket)
      socket.write(first!)
      if (second !== undefined) await new Promise((resolve) => setTimeout(resolve, 20))
      if (second !== undefined) socket.write(second)
    }
  })
  const app = await start(t, { upstream: upstream.url })

  for (const piece of pieces) {
    const { status, body, informational } = await raw(t, app.port, 'GET /x HTTP/1.1\r\nHost: x\r\n\r\n')
    const hints = piece.join('').includes('103') ? [103] : []
    assert.deepEqual([status, body.toString(), informational.map((head) => head.status)], [200, 'ok', hints], JSON.stringify(piece))
  }
  assert.equal(upstream.connections, 1)
})

test('a 100 Continue in a body is content', async (t) => {
  const upstream = await rawOrigin(t, speak(`HTTP/1.1 200 OK\r\nContent-Length: ${goOn.length}\r\n\r\n${goOn}`))
  const app = await start(t, { upstream: upstream.url })

  assert.equal((await raw(t, app.port, 'GET /x HTTP/1.1\r\nHost: x\r\n\r\n')).body.toString(), goOn)
})
