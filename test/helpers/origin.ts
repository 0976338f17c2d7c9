import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type OutgoingHttpHeaders, type Server as HttpServer, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { connect, createServer as createRawServer, type AddressInfo, type Server, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { Worker } from 'node:worker_threads'
import { Bell, later, onceRead, type Falsy } from './until.ts'
import { Reader, Wire } from './wire.ts'

/** What to do with one request; `n` counts the requests of this origin from 1. */
export interface Step {
  (req: IncomingMessage, res: ServerResponse, n: number): void
  /** What the origin does with the body meanwhile; default 'record'. */
  body?: 'record' | 'count' | 'leave'
}

/** One request as the origin saw it; changes while it arrives. */
export class Recorded {
  readonly method: string
  readonly url: string
  readonly httpVersion: string
  readonly headers: IncomingHttpHeaders
  readonly rawHeaders: string[]
  /** Which of the origin's connections it came on, from 0. */
  readonly connection: number
  bodyLength = 0
  trailers: NodeJS.Dict<string> = {}
  /** The whole request arrived. */
  complete = false
  /** The proxy closed or reset the connection before the request or its answer was whole. False when we did. */
  aborted = false
  readonly #req: IncomingMessage
  readonly #chunks: Buffer[] = []

  constructor (req: IncomingMessage, connection: number) {
    this.method = req.method ?? ''
    this.url = req.url ?? ''
    this.httpVersion = req.httpVersion
    this.headers = req.headers
    this.rawHeaders = req.rawHeaders
    this.connection = connection
    this.#req = req
  }

  /** What has arrived of the body. */
  get body (): Buffer {
    return Buffer.concat(this.#chunks)
  }

  add (chunk: Buffer, keep: boolean): void {
    if (keep) this.#chunks.push(chunk)
    this.bodyLength += chunk.length
  }

  /** Reads a body that its step has left in the socket: only then does Node see that the other side went. */
  read (): void {
    this.#req.resume()
  }
}

class Listening {
  readonly server: Server
  readonly port: number
  readonly url: string
  /** Sockets accepted so far. */
  connections = 0
  /** The open sockets and which connection each is, from 0. */
  readonly sockets: Map<Socket, number> = new Map()
  protected readonly bell: Bell = new Bell()

  constructor (server: Server, scheme: string) {
    this.server = server
    this.port = (server.address() as AddressInfo).port
    this.url = `${scheme}://127.0.0.1:${this.port}`
    server.on('connection', (socket: Socket) => {
      this.sockets.set(socket, this.connections++)
      // Being cut off is what half of the tests are about.
      socket.on('error', () => {})
      socket.on('close', () => {
        this.sockets.delete(socket)
        this.bell.ring()
      })
      this.bell.ring()
    })
  }

  get openSockets (): number {
    return this.sockets.size
  }

  /** Resolves once `n` sockets have been closed since the start. */
  async closed (n: number): Promise<void> {
    const closed = () => this.connections - this.openSockets
    await this.bell.until(() => `${n} closed sockets, got ${closed()}`, () => closed() >= n)
  }

  /** Resolves once no socket is open. */
  async idle (): Promise<void> {
    await this.bell.until(() => `no open socket, got ${this.openSockets}`, () => this.openSockets === 0)
  }

  /** Resolves once `n` sockets have been accepted since the start. */
  async accepted (n: number): Promise<void> {
    await this.bell.until(() => `${n} connections, got ${this.connections}`, () => this.connections >= n)
  }

  /** Resolves with the first truthy answer of `look`, asked whenever a connection, head, piece of body or end comes. */
  until<T> (what: string, look: () => T | Falsy, timeout?: number): Promise<T> {
    return this.bell.until(what, look, timeout)
  }

  /** Cuts all connections and refuses new ones from then on. */
  async close (): Promise<void> {
    if (!this.server.listening) return
    const closed = once(this.server, 'close')
    this.server.close()
    for (const socket of this.sockets.keys()) socket.destroy()
    await closed
  }
}

export class Origin extends Listening {
  /** In the order their heads arrived. */
  requests: Recorded[] = []
  hits = 0
  readonly #steps: Step[]

  constructor (server: HttpServer, scheme: string, steps: Step[]) {
    super(server, scheme)
    this.#steps = steps
    // What we close, only steps decide: Node's own timers would end idle or slow connections by themselves.
    server.keepAliveTimeout = server.headersTimeout = server.requestTimeout = 0
    const left = new WeakSet<Socket>()
    server.on(scheme === 'https' ? 'secureConnection' : 'connection', (socket: Socket) => {
      if (scheme === 'https') this.#noteRaw(socket)
      socket.on('end', () => left.add(socket))
      socket.on('error', () => left.add(socket))
    })
    server.on('clientError', (_error, socket) => socket.destroy())
    server.on('tlsClientError', () => {})
    server.on('request', (req: IncomingMessage, res: ServerResponse) => {
      const { socket } = req
      const request = new Recorded(req, this.sockets.get(below.get(socket) ?? socket) ?? -1)
      const bell = this.bell
      this.requests.push(request)
      const n = ++this.hits
      const step = this.#steps[Math.min(n, this.#steps.length) - 1]!
      req.on('error', () => {})
      res.on('error', () => {})
      req.on('end', () => {
        request.complete = true
        request.trailers = req.trailers
        bell.ring()
      })
      req.on('close', noteAbort)
      res.on('close', noteAbort)
      // A 'data' listener, unlike a look at the chunks from elsewhere, makes the body flow: not for a step that leaves it alone.
      if (step.body !== 'leave') {
        req.on('data', (chunk: Buffer) => {
          request.add(chunk, step.body !== 'count')
          bell.ring()
        })
      }
      step(req, res, n)
      bell.ring()

      function noteAbort (): void {
        if (left.has(socket) && !(request.complete && res.writableFinished)) request.aborted = true
        bell.ring()
      }
    })
  }

  /** Resolves once `n` request heads have arrived since the start. */
  async arrived (n: number): Promise<void> {
    await this.bell.until(() => `${n} requests, got ${this.hits}`, () => this.hits >= n)
  }

  /** Drops what was recorded, so that a test that watches the heap does not measure this list. */
  forget (): void {
    this.requests = []
  }

  // resetAndDestroy needs the TCP handle, which only the socket below the TLS one has.
  #noteRaw (secure: Socket): void {
    for (const raw of this.sockets.keys()) {
      if (raw.remotePort === secure.remotePort) below.set(secure, raw)
    }
  }
}

const below = new WeakMap<Socket, Socket>()

function resetSocket (socket: Socket): void {
  const raw = below.get(socket) ?? socket
  raw.resetAndDestroy()
}

async function listen (server: Server): Promise<void> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
}

/** An HTTP/1.1 upstream: every request takes the next step, the last one repeats. */
export async function origin (t: TestContext, ...steps: Step[]): Promise<Origin> {
  return serve(t, createServer(), 'http', steps)
}

/** The same over TLS. With `requestCert`, a client without a certificate of `ca` fails its handshake. */
export async function tlsOrigin (
  t: TestContext,
  { cert, key, ca, requestCert = false }: { cert: string, key: string, ca?: string, requestCert?: boolean },
  ...steps: Step[]
): Promise<Origin> {
  const server = createTlsServer({ cert, key, ...(ca !== undefined && { ca }), requestCert, rejectUnauthorized: requestCert })
  return serve(t, server, 'https', steps)
}

async function serve (t: TestContext, server: HttpServer, scheme: string, steps: Step[]): Promise<Origin> {
  if (steps.length === 0) throw new Error('an origin needs at least one step')
  await listen(server)
  const started = new Origin(server, scheme, steps)
  t.after(() => started.close())
  return started
}

// An answer before the end of the request makes undici drop the connection, so a step that means no harm waits for that end.
function afterRequest (req: IncomingMessage, act: () => void): void {
  // Not flowing: the body was left in the socket and will not end.
  if (req.complete || !req.readableFlowing) act()
  else req.once('end', act)
}

/** Answers once the request is whole, at once when its body is left alone. */
export function answer (status: number, body: string | Buffer = '', headers: OutgoingHttpHeaders | string[] = {}): Step {
  return (req, res) => afterRequest(req, () => {
    // writeHead takes raw pairs as they are but then cannot know about a length of ours.
    if (Array.isArray(headers)) res.writeHead(status, headers)
    else res.writeHead(status, withLength(status, Buffer.byteLength(body), headers))
    res.end(body)
  })
}

function withLength (status: number, length: number, headers: OutgoingHttpHeaders): OutgoingHttpHeaders {
  const names = Object.keys(headers).map(name => name.toLowerCase())
  const told = names.includes('content-length') || names.includes('transfer-encoding')
  return told || status === 204 || status === 304 ? headers : { ...headers, 'content-length': length }
}

export interface Echo {
  method: string
  url: string
  httpVersion: string
  headers: IncomingHttpHeaders
  rawHeaders: string[]
  /** latin1: one character per byte. */
  body: string
  bodyLength: number
}

/** Answers 200 with the request as JSON, an `Echo`. */
export function echo (headers: OutgoingHttpHeaders = {}): Step {
  return (req, res) => {
    const chunks: Buffer[] = []
    req.on('data', (chunk: Buffer) => chunks.push(chunk))
    req.once('end', () => {
      const body = Buffer.concat(chunks)
      const { method = '', url = '', httpVersion, headers: requestHeaders, rawHeaders } = req
      const seen: Echo = { method, url, httpVersion, headers: requestHeaders, rawHeaders, body: body.toString('latin1'), bodyLength: body.length }
      const text = JSON.stringify(seen)
      res.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text), ...headers })
      res.end(text)
    })
  }
}

/** RST as soon as the head is here. */
export function reset (): Step {
  return (req) => resetSocket(req.socket)
}

/** Takes the whole request and then closes with FIN, without a byte of an answer. */
export function closeBeforeHead (): Step {
  return (req) => afterRequest(req, () => req.socket.destroy())
}

/** Takes the request and never answers. */
export function hang (): Step {
  return () => {}
}

/** Never answers and never reads the body, so that the sender runs into a full socket. */
export function stall (): Step {
  return unread(hang())
}

/** The same step, not reading the body. */
export function unread (step: Step): Step {
  return Object.assign<Step, Pick<Step, 'body'>>((...args) => step(...args), { body: 'leave' })
}

/** The same step, counting the body without keeping it. */
export function counted (step: Step): Step {
  return Object.assign<Step, Pick<Step, 'body'>>((...args) => step(...args), { body: 'count' })
}

/**
 * Announces `total` bytes (null: chunked), sends the first `sent` and closes the connection: with FIN, or with RST when
 * `how` is 'reset'.
 */
export function cutBody (total: number | null, sent: number, how: 'close' | 'reset' = 'close'): Step {
  return (req, res) => afterRequest(req, () => {
    // The pause lets the other side read first: to libuv, data and an RST in one go look like an orderly end.
    const cut = () => how === 'reset' ? onceRead(() => resetSocket(req.socket)) : req.socket.destroy()
    res.writeHead(200, total === null ? {} : { 'content-length': total })
    res.flushHeaders()
    // Once the kernel has the bytes: destroying earlier would cut what was to be sent.
    if (sent > 0) res.write(Buffer.alloc(sent, 'x'), cut)
    else req.socket.write('', cut)
  })
}

/** Answers 200, chunked: the first chunk with the head, each further one `gap` ms later, then the end. */
export function drip (chunks: readonly (string | Buffer)[], gap: number, headers: OutgoingHttpHeaders = {}): Step {
  return (req, res) => afterRequest(req, () => {
    let next = 0
    let cancel = () => {}
    res.once('close', () => cancel())
    res.writeHead(200, headers)
    res.flushHeaders()
    write()

    function write (): void {
      const chunk = chunks[next++]
      if (chunk === undefined) {
        res.end()
      } else {
        res.write(chunk)
        cancel = later(write, gap)
      }
    }
  })
}

/** Waits `ms`, then does as `then`. */
export function slowHead (ms: number, then: Step = answer(200, 'ok')): Step {
  const slow: Step = (req, res, n) => {
    const cancel = later(() => then(req, res, n), ms)
    res.once('close', cancel)
  }
  if (then.body !== undefined) slow.body = then.body
  return slow
}

/** Holds every request until `release`, then does as `then`: those that are held, in their order, and all that come later. */
export function gated (then: Step = answer(200, 'ok')): { step: Step, release: () => void } {
  let held: (() => void)[] | null = []
  return {
    step (req, res, n) {
      if (held === null) then(req, res, n)
      else held.push(() => then(req, res, n))
    },
    release () {
      for (const go of held ?? []) go()
      held = null
    }
  }
}

export type OnSocket = (socket: Socket, index: number) => void | Promise<void>

export class RawOrigin extends Listening {
  /** Request heads that `collectHead` or `speak` have read, latin1, with their empty lines. */
  readonly heads: string[] = []

  constructor (server: Server, onSocket: OnSocket) {
    super(server, 'http')
    server.on('connection', (socket: Socket) => {
      notes.set(socket, (head) => {
        this.heads.push(head)
        this.bell.ring()
      })
      onSocket(socket, this.connections - 1)
    })
  }

  get hits (): number {
    return this.heads.length
  }

  /** Resolves once `n` heads have been read since the start. */
  async arrived (n: number): Promise<void> {
    await this.bell.until(() => `${n} heads, got ${this.hits}`, () => this.hits >= n)
  }
}

const notes = new WeakMap<Socket, (head: string) => void>()
const readers = new WeakMap<Socket, Reader>()

function readerOf (socket: Socket): Reader {
  const reader = readers.get(socket) ?? new Reader(new Wire(socket))
  readers.set(socket, reader)
  return reader
}

/** A TCP upstream that does with each connection what `onSocket` does; `index` counts them from 0. Socket errors are swallowed. */
export async function rawOrigin (t: TestContext, onSocket: OnSocket): Promise<RawOrigin> {
  const server = createRawServer()
  await listen(server)
  const started = new RawOrigin(server, onSocket)
  t.after(() => started.close())
  return started
}

/** The next request head on this socket, latin1, with its empty line. What the one before had as a body is passed over. */
export async function collectHead (socket: Socket): Promise<string> {
  const reader = readerOf(socket)
  const head = await reader.requestHead()
  if (head === null) throw new Error(`the connection ended before a whole request head: ${reader.wire.describe()}`)
  notes.get(socket)?.(head)
  return head
}

/** Writes this latin1 text for each request head, at once; a function gets the number of the request, from 1 over all connections. */
export function speak (text: string | ((n: number, head: string) => string)): OnSocket {
  let n = 0
  return async function speakTo (socket) {
    const reader = readerOf(socket)
    // An idle connection between two requests is nothing to complain about.
    reader.timeout = 0
    for (let head = await reader.requestHead(); head !== null; head = await reader.requestHead()) {
      n++
      notes.get(socket)?.(head)
      socket.write(typeof text === 'string' ? text : text(n, head), 'latin1')
    }
  }
}

/** A port that refuses connections, and goes on doing so while this process lives. */
export async function refusedPort (): Promise<number> {
  const server = createRawServer()
  await listen(server)
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const [[accepted]] = await Promise.all([once(server, 'connection'), once(socket, 'connect')]) as [[Socket], unknown]
  server.close()
  // The own port of an outgoing connection listens to nobody, yet is taken: one that was merely closed may be handed to the next
  // test file that asks for port 0.
  const port = socket.localPort!
  socket.unref()
  accepted.unref()
  server.unref()
  held.push(socket, accepted)
  return port
}

// Else they are collected, and the port is free.
const held: Socket[] = []

export interface Blackhole { url: string, port: number }

// Linux completes backlog + 1 handshakes by itself and drops every further SYN.
const backlog = 1

/**
 * A port of 127.0.0.1 on which connecting neither succeeds nor fails: its queue of accepted connections is full, and the
 * thread that listens never takes one out. Linux only; elsewhere full queues refuse.
 */
export async function blackhole (t: TestContext): Promise<Blackhole> {
  const wake = new Int32Array(new SharedArrayBuffer(4))
  const worker = new Worker(`
    const { parentPort, workerData: { wake, backlog } } = require('node:worker_threads')
    const server = require('node:net').createServer().listen({ port: 0, host: '127.0.0.1', backlog }, () => {
      parentPort.postMessage(server.address().port)
      Atomics.wait(wake, 0, 0)
      server.close()
      process.exit()
    })
  `, { eval: true, workerData: { wake, backlog } })
  const exited = once(worker, 'exit')
  const fillers: Socket[] = []
  t.after(async () => {
    for (const socket of fillers) socket.destroy()
    Atomics.store(wake, 0, 1)
    Atomics.notify(wake, 0)
    await exited
  })
  const [port] = await once(worker, 'message') as [number]

  // One after the other: a handshake that begins before the queue is full can seem complete to its client.
  for (let i = 0; i < backlog + 1; i++) {
    const filler = connect(port, '127.0.0.1')
    fillers.push(filler)
    filler.on('error', () => {})
    await once(filler, 'connect')
  }
  await provesHanging(port, fillers)
  return { url: `http://127.0.0.1:${port}`, port }
}

// ms; a handshake on loopback takes microseconds, a dropped SYN is sent again after 1 s.
const handshake = 100

// Nothing tells that nothing will happen, so this is the one wait for time in these files.
async function provesHanging (port: number, fillers: Socket[]): Promise<void> {
  const probe = connect(port, '127.0.0.1')
  fillers.push(probe)
  const outcome = await new Promise<string>((resolve) => {
    const cancel = later(() => resolve('hangs'), handshake)
    probe.once('connect', () => { cancel(); resolve('connects') })
    probe.once('error', (error) => { cancel(); resolve(error.message) })
  })
  probe.destroy()
  if (outcome !== 'hangs') throw new Error(`no black hole on this system: a further connection ${outcome}`)
}
