import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { WebSocket, WebSocketServer, type ClientOptions, type ServerOptions } from 'ws'
import type { RouteBehaviour } from '../../types/index.ts'
import { acceptOf } from '../../lib/data-plane/upgrade/handshake.ts'
import { connect, type Client } from './client.ts'
import { rawOrigin, type RawOrigin } from './origin.ts'
import { start, type Started } from './proxy.ts'
import { Bell } from './until.ts'
import { Reader, Wire } from './wire.ts'

export const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='
/** RFC 6455 1.3, for that key. */
export const ACCEPT = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo='

export interface WebSocketOrigin {
  url: string
  port: number
  /** Handshakes, in the order in which they came. */
  requests: IncomingMessage[]
  /** Connections, in that order. */
  sockets: WebSocket[]
  /** Close codes that came, in that order. */
  codes: number[]
  until<T> (what: string, look: () => T): Promise<T>
}

/** A WebSocket upstream that sends back what it gets. */
export async function webSocketOrigin (t: TestContext, options: ServerOptions = {}, tls?: { cert: string, key: string }): Promise<WebSocketOrigin> {
  const server = tls === undefined ? createServer() : createTlsServer(tls)
  const webSockets = new WebSocketServer({ ...options, server })
  const bell = new Bell()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const origin: WebSocketOrigin = {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    port,
    requests: [],
    sockets: [],
    codes: [],
    until: (what, look) => bell.until(what, look) as Promise<ReturnType<typeof look>>
  }
  webSockets.on('connection', (socket, request) => {
    origin.requests.push(request)
    origin.sockets.push(socket)
    socket.on('error', () => {})
    socket.on('message', (data, isBinary) => { socket.send(data, { binary: isBinary }) })
    socket.on('close', (code) => {
      origin.codes.push(code)
      bell.ring()
    })
    bell.ring()
  })
  t.after(() => {
    for (const socket of webSockets.clients) socket.terminate()
    server.close()
    server.closeAllConnections()
  })
  return origin
}

export interface WebSocketClient {
  socket: WebSocket
  /** The next message. */
  next (): Promise<Buffer>
  /** Resolves when it is closed. */
  closed: Promise<{ code: number, reason: string }>
}

/** The client that everybody uses, unmodified. Rejects with `ws`'s own error when the handshake fails. */
export async function webSocket (t: TestContext, url: string, protocols: string[] = [], options: ClientOptions = {}): Promise<WebSocketClient> {
  const socket = new WebSocket(url.replace(/^http/, 'ws'), protocols, options)
  t.after(() => { socket.terminate() })
  const bell = new Bell()
  const messages: Buffer[] = []
  let end: { code: number, reason: string } | null = null
  socket.on('message', (data: Buffer) => {
    messages.push(data)
    bell.ring()
  })
  socket.on('close', (code, reason) => {
    end = { code, reason: reason.toString() }
    bell.ring()
  })
  await once(socket, 'open')
  socket.on('error', () => {})
  return {
    socket,
    next: async () => {
      await bell.until('a message', () => messages.length > 0)
      return messages.shift()!
    },
    get closed () { return bell.until('the close', () => end) as Promise<{ code: number, reason: string }> }
  }
}

/** A handshake as a browser sends it; lines of `more` come on top, or with a name of its own in place of it. */
export function handshake (path: string = '/', more: readonly string[] = []): string {
  const lines = ['Host: proxy.test', 'Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13', `Sec-WebSocket-Key: ${KEY}`]
  const names = more.map((line) => line.split(':', 1)[0]!.toLowerCase())
  const kept = lines.filter((line) => !names.includes(line.split(':', 1)[0]!.toLowerCase()))
  return [`GET ${path} HTTP/1.1`, ...kept, ...more.filter((line) => !line.endsWith(': -')), '', ''].join('\r\n')
}

/** What an upstream answers to that; `lines` in place of those of the same name. */
export function switching (head: string, lines: readonly string[] = []): string {
  const key = /sec-websocket-key: (.*)\r\n/i.exec(head)?.[1] ?? ''
  const own = ['Connection: Upgrade', 'Upgrade: websocket', `Sec-WebSocket-Accept: ${acceptOf(key)}`]
  const names = lines.map((line) => line.split(':', 1)[0]!.toLowerCase())
  const kept = own.filter((line) => !names.includes(line.split(':', 1)[0]!.toLowerCase()))
  return ['HTTP/1.1 101 Switching Protocols', ...kept, ...lines.filter((line) => !line.endsWith(': -')), '', ''].join('\r\n')
}

export interface RawTunnel {
  wire: Wire
  head: string
  socket: Socket
}

/** For `rawOrigin`: takes each handshake and lets the test go on from there, with what it has of the bytes behind it. */
export function tunnels (accepted: RawTunnel[], bell: Bell, lines: readonly string[] = []): (socket: Socket) => Promise<void> {
  return async function accept (socket) {
    socket.allowHalfOpen = true
    const wire = new Wire(socket)
    const reader = new Reader(wire)
    const head = await reader.requestHead()
    if (head === null) return
    socket.write(switching(head, lines), 'latin1')
    accepted.push({ wire, head, socket })
    wire.bell.until('nothing', () => { bell.ring(); return false }, 0).catch(() => {})
    bell.ring()
  }
}

export interface Ends { client: Client, upstream: RawTunnel, origin: RawOrigin, proxy: Started }

/** A tunnel with a raw socket at either end. */
export async function tunnel (t: TestContext, behaviour: RouteBehaviour = {}): Promise<Ends> {
  const bell = new Bell()
  const accepted: RawTunnel[] = []
  const origin = await rawOrigin(t, tunnels(accepted, bell))
  const proxy = await start(t, { upstream: `http://127.0.0.1:${origin.port}`, websocket: true, ...behaviour })
  const client = await connect(t, proxy.port)
  client.write(handshake('/x?token=secret'))
  assert.equal((await client.response()).status, 101)
  return { client, upstream: await bell.until('the upstream', () => accepted[0]), origin, proxy }
}

/** What came behind the head. */
export const text = (wire: Wire): string => wire.received.toString('latin1').split('\r\n\r\n').slice(1).join('\r\n\r\n')
