import assert from 'node:assert/strict'
import { once } from 'node:events'
import http2, { type ClientHttp2Session } from 'node:http2'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { createServer as createTlsServer, connect as connectTls } from 'node:tls'
import { block, END_HEADERS, END_STREAM, frame, framesOrigin } from '../helpers/frames.ts'
import { http2Origin, reply } from '../helpers/http2.ts'
import { ca, server as identity } from '../helpers/tls.ts'

/* pool/http2-connector.ts, http2-connection.ts and transport.ts lean on this in Node: sessions that are gone, and sockets already read of. */

async function sessionTo (t: TestContext): Promise<ClientHttp2Session> {
  const upstream = await http2Origin(t, reply(200))
  const socket = connect(Number(new URL(upstream.url).port), '127.0.0.1')
  await once(socket, 'connect')
  const session = http2.connect(upstream.url, { createConnection: () => socket })
  session.on('error', () => {})
  t.after(() => { session.destroy() })
  return session
}

test('a session that was destroyed says that it is connected all the same, and takes nothing any more', async (t) => {
  const session = await sessionTo(t)
  session.destroy()

  await once(session, 'connect')

  assert.equal(session.destroyed, true)
  // Node 20 throws over a property of its socket as well.
  for (const touch of [() => session.setLocalWindowSize(1), () => session.ping(() => {})]) assert.throws(touch)
  // Node 24 gives a stream that fails.
  const error = await new Promise<NodeJS.ErrnoException>((resolve) => {
    try {
      session.request({}).on('error', resolve)
    } catch (thrown) {
      resolve(thrown as NodeJS.ErrnoException)
    }
  })
  assert.equal(error.code, 'ERR_HTTP2_INVALID_SESSION')
  session.close()
  session.destroy()
})

test('a field that is no token is an error thrown, and in Node 20 the end of the session; one with a line break is sent', async (t) => {
  const session = await sessionTo(t)
  await once(session, 'connect')

  session.request({ ':path': '/', 'x-own': 'a\r\nb' }).on('error', () => {})
  assert.throws(() => session.request({ ':path': '/', 'x y': '1' }), { code: 'ERR_INVALID_HTTP_TOKEN' })

  if (process.versions.node.startsWith('20.')) assert.equal(session.destroyed, true)
})

test('a head in too many frames ends the session, with an error of its own', async (t) => {
  const upstream = await framesOrigin(t, ({ type, stream }, wire) => {
    if (type !== 'HEADERS') return
    const continuation = frame('CONTINUATION', 0, stream, block([['x-a', 'b']]))
    wire.write(frame('HEADERS', 0, stream, block([[':status', '200']])), ...Array.from({ length: 20 }, () => continuation), frame('CONTINUATION', END_HEADERS, stream))
  })
  const session = http2.connect(upstream.url)
  t.after(() => { session.destroy() })
  session.request({ ':path': '/' }).on('error', () => {})

  const [error] = await once(session, 'error') as [NodeJS.ErrnoException]

  assert.deepEqual([error.code, error.errno], ['ERR_HTTP2_ERROR', -905])
})

/** A connection whose first bytes have been read, and put back. */
async function readOnce (t: TestContext, port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  t.after(() => { socket.destroy() })
  const [first] = await once(socket, 'data') as [Buffer]
  socket.pause()
  socket.unshift(first)
  return socket
}

test('a session reads what was put back into its socket', async (t) => {
  // Its settings, which it sends first, are what is put back.
  const upstream = await framesOrigin(t, ({ type, stream }, wire) => {
    if (type === 'HEADERS') wire.write(frame('HEADERS', END_HEADERS | END_STREAM, stream, block([[':status', '204']])))
  })
  const socket = await readOnce(t, Number(new URL(upstream.url).port))
  const session = http2.connect('http://a', { createConnection: () => socket })
  t.after(() => { session.destroy() })

  await once(session, 'remoteSettings')
  const stream = session.request({ ':path': '/' })
  const [{ ':status': status }] = await once(stream, 'response') as [{ ':status': number }]

  assert.equal(status, 204)
})

test('TLS reads what was put back into its socket', async (t) => {
  // Nobody speaks first in TLS: a word in front of the handshake, which is read, and a part of it, which is not.
  const inner = createTlsServer(identity, (socket) => { socket.end('ok') }).listen(0, '127.0.0.1')
  await once(inner, 'listening')
  t.after(() => { inner.close() })
  const socket = connect((inner.address() as AddressInfo).port, '127.0.0.1')
  await once(socket, 'connect')
  socket.pause()
  // A record of its own: a warning that means nothing (RFC 5246 7.2).
  socket.unshift(Buffer.from([0x15, 3, 3, 0, 2, 2, 0x28]))
  const secure = connectTls({ socket, ca, servername: 'localhost' })

  const [error] = await once(secure, 'error') as [NodeJS.ErrnoException]

  assert.match(error.code ?? '', /ALERT/)
})
