import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import test from 'node:test'
import { connect, type Client } from '../helpers/client.ts'

/* What lib/data-plane/arrival.ts and client-errors.ts lean on in Node's HTTP server. */

async function serve (t: test.TestContext, listener: (request: IncomingMessage, response: ServerResponse) => void): Promise<{ server: ReturnType<typeof createServer>, client: Client }> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => { server.closeAllConnections(); server.close() })
  return { server, client: await connect(t, (server.address() as AddressInfo).port) }
}

const expecting = 'POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n'

test("with a listener for 'checkContinue' there is no 'request' and no 100, and an answer without it ends the connection", async (t) => {
  const { server, client } = await serve(t, () => assert.fail('called'))
  server.on('checkContinue', (_request, response: ServerResponse) => { response.end('no') })

  client.write(expecting)
  const { status, informational, headers } = await client.response()

  assert.deepEqual([status, informational.length, headers['connection']], [200, 0, 'close'])
})

test("a response behind another of a pipeline tells its turn by 'socket', and its head is put before a 100 that was said ahead of it, its body behind that", async (t) => {
  const seen: unknown[] = []
  let first: ServerResponse | null = null
  const { server, client } = await serve(t, (_request, response) => { first = response })
  server.on('checkContinue', (_request, response: ServerResponse) => {
    seen.push(response.socket)
    response.once('socket', (socket) => { seen.push(socket === response.socket, response.headersSent) })
    response.writeContinue()
    response.writeHead(200, { 'content-length': 4 }).end(Buffer.from('body'))
    first!.end('first')
  })

  client.write(`GET /x HTTP/1.1\r\nHost: x\r\n\r\n${expecting}body`)
  await client.until('\r\n\r\nbody')

  assert.deepEqual(seen, [null, true, true])
  assert.match(client.received.toString('latin1'), /\r\n\r\nfirstHTTP\/1\.1 200 OK\r\n(?:[\w-]+: [^\r]*\r\n)+\r\nHTTP\/1\.1 100 Continue\r\n\r\nbody$/)
})

test('whoever wants a body calls its read(), by whatever way', async (t) => {
  for (const want of [
    (request: IncomingMessage) => { request.on('data', () => {}) },
    (request: IncomingMessage) => { request.resume() },
    (request: IncomingMessage) => { request.on('readable', () => {}) },
    (request: IncomingMessage) => { request.pipe(process.stdout, { end: false }).removeAllListeners('unpipe') },
    (request: IncomingMessage) => { request[Symbol.asyncIterator]().next().then(() => {}, () => {}) }
  ]) {
    let isRead = false
    const { client } = await serve(t, (request, response) => {
      const { read } = request
      request.read = function (size) {
        isRead = true
        return read.call(request, size) as unknown
      }
      setImmediate(() => {
        assert.equal(isRead, false)
        want(request)
        setImmediate(() => response.end())
      })
    })
    client.write('POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n')
    await client.response()
    assert.equal(isRead, true)
  }
})

test('a socket knows the response whose turn it is, and none in between', async (t) => {
  let response: ServerResponse | null = null
  const { server, client } = await serve(t, (_request, answer) => { response = answer })
  const held = (socket: Socket) => (socket as Socket & { _httpMessage?: ServerResponse | null })._httpMessage
  client.socket.destroy()
  const accepted = once(server, 'connection') as Promise<[Socket]>
  const second = await connect(t, (server.address() as AddressInfo).port)
  const [socket] = await accepted

  assert.ok(!held(socket))
  const requested = once(server, 'request')
  second.write('GET /x HTTP/1.1\r\nHost: x\r\n\r\n')
  await requested
  assert.equal(held(socket), response)
  response!.end('ok')
  await second.response()
  assert.ok(!held(socket))
})

test("a 'clientError' listener that does nothing leaves the response that is under way alone", async (t) => {
  const { server, client } = await serve(t, (_request, response) => { setTimeout(() => response.end('whole'), 50) })
  server.on('clientError', () => {})

  client.write('GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\nGET /y HTTP/1.1\r\nHost: x\r\n\r\n')

  assert.equal((await client.response()).body.toString(), 'whole')
  await client.closed
})

test("the version HTTP/2.0 in a request line is taken, as one of HTTP/2 without a 'stream'", async (t) => {
  let seen: unknown[] = []
  const { client } = await serve(t, (request, response) => {
    seen = [request.httpVersionMajor, request.httpVersionMinor, 'stream' in request]
    response.end()
  })

  client.write('GET /x HTTP/2.0\r\nHost: x\r\n\r\n')
  await client.response()

  assert.deepEqual(seen, [2, 0, false])
})

test('a body that comes in one read with its head can be read one tick after the head, and not before', async (t) => {
  const seen: unknown[] = []
  const { client } = await serve(t, (request, response) => {
    seen.push(request.readableLength)
    process.nextTick(() => {
      seen.push(request.readableLength, String(request.read()))
      request.resume().on('end', () => { response.end() })
    })
  })

  client.write('POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody')
  await client.response()

  assert.deepEqual(seen, [0, 4, 'body'])
})

test('a Trailer in a head that is not chunked is refused before anything is written, and the same head goes without it', async (t) => {
  for (const [prepare, httpVersion] of [
    [(response: ServerResponse) => { response.setHeader('content-length', '2') }, '1.1'],
    [(response: ServerResponse) => { response.removeHeader('transfer-encoding') }, '1.1'],
    [() => {}, '1.0']
  ] as const) {
    let code: string | undefined
    const { client } = await serve(t, (_request, response) => {
      prepare(response)
      response.setHeader('trailer', 'x-sum')
      try {
        response.writeHead(200, { 'x-own': '1' })
      } catch (error) {
        code = (error as NodeJS.ErrnoException).code
        response.removeHeader('trailer')
        response.writeHead(200, { 'x-own': '1' })
      }
      response.end('ok')
    })
    client.write(`GET / HTTP/${httpVersion}\r\nHost: x\r\n\r\n`)
    const { status, headers, body } = await client.response()

    assert.deepEqual([code, status, headers['x-own'], headers['trailer'], body.toString()], ['ERR_HTTP_TRAILER_INVALID', 200, '1', undefined, 'ok'])
  }
})

test('a head that nobody has written is written by writeHead, with the status alone', async (t) => {
  const calls: unknown[][] = []
  const { client } = await serve(t, (_request, response) => {
    const { writeHead } = response
    response.writeHead = function (this: ServerResponse, ...args: unknown[]) {
      calls.push(args)
      return Reflect.apply(writeHead, this, args) as ServerResponse
    } as ServerResponse['writeHead']
    response.setHeader('x-own', '1')
    response.write('ok')
    response.end()
  })
  client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  await client.response()

  assert.deepEqual(calls, [[200]])
})
