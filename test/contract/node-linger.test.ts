import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { connect, type Client } from '../helpers/client.ts'
import { eventually } from '../helpers/until.ts'

/* Facts about Node's HTTP server that lib/data-plane/lingering.ts leans on. */

interface HttpSocket extends Socket {
  parser: { incoming: IncomingMessage | null, onIncoming: ((request: IncomingMessage & { upgrade: boolean }, keepAlive: boolean) => number) | null } | null
  server: Server
}

interface Served { server: Server, client: Client, requests: IncomingMessage[], sockets: HttpSocket[] }

async function serve (t: TestContext, listener: (request: IncomingMessage, response: ServerResponse, socket: HttpSocket) => void): Promise<Served> {
  const requests: IncomingMessage[] = []
  const sockets: HttpSocket[] = []
  const server = createServer((request, response) => {
    requests.push(request)
    listener(request, response, request.socket as HttpSocket)
  }).listen(0, '127.0.0.1')
  server.on('connection', (socket) => { sockets.push(socket as HttpSocket) })
  await once(server, 'listening')
  t.after(() => { server.closeAllConnections(); server.close() })
  return { server, client: await connect(t, (server.address() as AddressInfo).port), requests, sockets }
}

const upload = 'POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n'

function answerLast (response: ServerResponse): void {
  response.writeHead(413, { 'content-length': 2, connection: 'close' }).end('no')
}

test('behind a last answer Node calls destroySoon, once the response is finished and while the parser still has its request', async (t) => {
  let seen: unknown[] = []
  const { client, requests } = await serve(t, (request, response, socket) => {
    socket.destroySoon = () => { seen = [response.writableFinished, response.socket, request.complete, socket.parser!.incoming === request, (socket.server as unknown) !== undefined] }
    answerLast(response)
  })

  client.write(upload)
  await client.response()
  await eventually('destroySoon', () => seen.length > 0)

  assert.deepEqual(seen, [true, null, false, true, true])
  // Nothing else ends the connection: the rest is read to its end.
  client.write('4\r\nrest\r\n0\r\n\r\n')
  await eventually('the end of the request', () => requests[0]!.readableEnded)
  assert.equal(requests[0]!.complete, true)
})

test('by itself, Node resets a client that goes on sending behind a last answer', async (t) => {
  const { client } = await serve(t, (_request, response) => { answerLast(response) })
  client.write(upload)
  await client.response()

  const timer = setInterval(() => { if (client.socket.writable) client.write(`400\r\n${'x'.repeat(0x400)}\r\n`) }, 1)
  await client.closed
  clearInterval(timer)

  assert.ok(client.socket.destroyed)
})

test('a parser gives what follows to its onIncoming, and is made new for the next connection', async (t) => {
  const ignored: (string | undefined)[] = []
  let upgrades = 0
  const { server, client, requests, sockets } = await serve(t, (_request, response, socket) => {
    if (requests.length > 1) {
      response.end('served')
      return
    }
    socket.destroySoon = () => {
      socket.parser!.onIncoming = (request) => {
        ignored.push(request.url)
        request.upgrade = false
        return 0
      }
    }
    answerLast(response)
  })
  server.on('upgrade', () => { upgrades++ })

  client.write(upload)
  await client.response()
  client.write('0\r\n\r\nGET /next HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
  await eventually('the next request', () => ignored.length > 0)
  await eventually('the end of the first', () => requests[0]!.readableEnded)
  assert.deepEqual([ignored, upgrades, requests.length], [['/next'], 0, 1])
  Socket.prototype.destroySoon.call(sockets[0]!)
  await client.closed

  const other = await connect(t, (server.address() as AddressInfo).port)
  other.write('GET /other HTTP/1.1\r\nHost: x\r\n\r\n')
  assert.equal((await other.response()).body.toString(), 'served')
})

test('what becomes of the rest is told by clientError: an end before its end, garbage, and a request that takes too long', async (t) => {
  for (const [rest, code] of [['', 'HPE_INVALID_EOF_STATE'], ['garbage\r\n', 'HPE_INVALID_CHUNK_SIZE'], [null, 'ERR_HTTP_REQUEST_TIMEOUT']] as const) {
    const { server, client, sockets } = await serve(t, (_request, response, socket) => {
      socket.destroySoon = () => {}
      answerLast(response)
    })
    const told = once(server, 'clientError') as Promise<[NodeJS.ErrnoException, Socket]>
    client.write(upload)
    await client.response()
    if (rest === null) (server as unknown as { emit (name: string, ...args: unknown[]): void }).emit('clientError', Object.assign(new Error('as Node does'), { code }), sockets[0])
    else if (rest === '') client.end()
    else client.write(rest)

    const [error, socket] = await told
    assert.deepEqual([error.code, socket === sockets[0], socket.writable], [code, true, true])
    socket.destroy()
  }
})

test('a socket counts what its parser reads past it', async (t) => {
  const { client, sockets } = await serve(t, (_request, response, socket) => {
    socket.destroySoon = () => {}
    answerLast(response)
  })
  client.write(upload)
  await client.response()
  const before = sockets[0]!.bytesRead
  client.write(`400\r\n${'x'.repeat(0x400)}\r\n`)

  await eventually('the bytes', () => sockets[0]!.bytesRead === before + 0x400 + 7)
})

test('the rest of a request that was answered on a kept connection is read, without end, by Node itself', async (t) => {
  const { client, requests } = await serve(t, (_request, response) => { response.end('ok') })

  client.write(upload)
  await client.response()
  client.write('0\r\n\r\nGET /next HTTP/1.1\r\nHost: x\r\n\r\n')
  await client.response()

  assert.deepEqual([requests[0]!.complete, requests.length], [true, 2])
})
