import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createSecureServer as createHttp2Server } from 'node:http2'
import { createServer as createTlsServer } from 'node:https'
import { createServer, ServerResponse, type IncomingMessage, type Server } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { hasSocket, readAgain, responseOf } from '../../lib/data-plane/upgrade/sockets.ts'

/* What lib/data-plane/upgrade leans on in node:http. */

const upgrade = 'GET /up HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'

async function upgraded (t: TestContext, text: string, onRequest: (request: IncomingMessage, response: ServerResponse) => void = () => {}): Promise<{ server: Server, request: IncomingMessage, socket: Socket, head: Buffer, client: Socket }> {
  const server = createServer(onRequest)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
  t.after(() => {
    client.destroy()
    server.close()
    server.closeAllConnections()
  })
  client.on('error', () => {})
  client.write(text)
  const [request, socket, head] = await once(server, 'upgrade') as [IncomingMessage, Socket, Buffer]
  socket.on('error', () => {})
  t.after(() => { socket.destroy() })
  return { server, request, socket, head, client }
}

async function reads (client: Socket, end: string): Promise<string> {
  let text = ''
  while (!text.includes(end)) text += String((await once(client, 'data') as [Buffer])[0])
  return text
}

test('an upgrade comes without listeners on its socket, with the bytes behind it, and nothing being answered', async (t) => {
  const { request, socket, head } = await upgraded(t, `${upgrade}early`)

  assert.deepEqual([head.toString(), request.complete, responseOf(socket), socket.allowHalfOpen], ['early', true, null, true])
  for (const event of ['data', 'end', 'drain', 'timeout']) assert.equal(socket.listenerCount(event), event === 'end' ? 1 : 0)
})

test('behind a request that is being answered, an upgrade’s socket has that response, and takes no other', async (t) => {
  let first: ServerResponse | null = null
  const { socket, request } = await upgraded(t, `GET /first HTTP/1.1\r\nHost: x\r\n\r\n${upgrade}`, (_request, response) => { first = response })

  assert.equal(responseOf(socket), first)
  assert.throws(() => { new ServerResponse(request).assignSocket(socket) }, { code: 'ERR_HTTP_SOCKET_ASSIGNED' })
  first!.end('done')
  await once(first!, 'close')
  assert.equal(responseOf(socket), null)
})

test('a 101 is written without framing, and leaves its socket open and to whoever takes it', async (t) => {
  const { request, socket, client } = await upgraded(t, upgrade)
  const response = new ServerResponse(request)
  response.assignSocket(socket)
  response.writeHead(101, { connection: 'upgrade', upgrade: 'websocket' })
  response.end()
  await once(response, 'finish')
  assert.equal(hasSocket(response), true)
  response.detachSocket(socket)
  socket.write('raw')

  const text = await reads(client, 'raw')

  assert.match(text, /^HTTP\/1\.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\nDate: [^\r]*\r\n\r\nraw$/)
  assert.deepEqual([hasSocket(response), responseOf(socket)], [false, null])
})

test('a socket that is given back to its server is read from the start of what was put back', async (t) => {
  const { server, socket, client } = await upgraded(t, upgrade, (request, response) => { response.end(request.url) })
  socket.unshift(Buffer.from('GET /again HTTP/1.1\r\nHost: x\r\n\r\n'))

  readAgain(server, socket)

  assert.match(await reads(client, '/again'), /^HTTP\/1\.1 200 OK/)
  client.write('GET /more HTTP/1.1\r\nHost: x\r\n\r\n')
  assert.match(await reads(client, '/more'), /^HTTP\/1\.1 200 OK/)
})

test('the listener that has Node read a connection is known by its name, on servers of every kind', () => {
  const servers = [createServer(), createTlsServer(), createHttp2Server({ allowHTTP1: true })]
  for (const [index, event] of ['connection', 'secureConnection', 'secureConnection'].entries()) {
    assert.deepEqual(servers[index]!.listeners(event).map(({ name }) => name), ['connectionListener'])
  }
})

test('where nobody listens, an upgrade is a request, and what came behind it in one read is lost', async (t) => {
  const server = createServer((request, response) => { response.end(`<${request.url}>`) })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
  t.after(() => {
    client.destroy()
    server.close()
    server.closeAllConnections()
  })

  client.write(`${upgrade}GET /behind HTTP/1.1\r\nHost: x\r\n\r\n`)
  const first = await reads(client, '/up>')
  client.write('GET /next HTTP/1.1\r\nHost: x\r\n\r\n')

  assert.ok(!(first + await reads(client, '/next>')).includes('behind'))
})
