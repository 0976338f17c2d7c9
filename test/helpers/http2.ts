import { once } from 'node:events'
import http2, { type ClientHttp2Session, type ClientHttp2Stream, type Http2SecureServer, type Http2Server, type IncomingHttpHeaders, type OutgoingHttpHeaders, type SecureServerOptions, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import { Bell } from './until.ts'
import { ca as trusted } from './tls.ts'

/** A response over HTTP/2, as it came. */
export interface Http2Response {
  status: number
  headers: IncomingHttpHeaders
  /** The 1xx heads before it. */
  informational: IncomingHttpHeaders[]
  trailers: IncomingHttpHeaders
  body: string
  bytes: Buffer
  /** END_STREAM came. */
  complete: boolean
  /** END_STREAM came with the head. */
  headOnly: boolean
  /** Of the RST_STREAM; 0 where there was none, or it said NO_ERROR. */
  rstCode: number
}

export interface Http2Init {
  body?: string | Buffer
  trailers?: OutgoingHttpHeaders
  /** Leaves the request open: the test writes and ends it. */
  open?: boolean
}

/** One connection of a client. */
export class Http2Client {
  readonly session: ClientHttp2Session

  constructor (session: ClientHttp2Session) {
    this.session = session
    session.on('error', () => {})
  }

  /** Begins a request; `response` tells how it was answered, also when that was a reset. */
  open (headers: OutgoingHttpHeaders, { body, trailers, open = false }: Http2Init = {}): { stream: ClientHttp2Stream, response: Promise<Http2Response> } {
    const hasBody = open || body !== undefined || trailers !== undefined
    const stream = this.session.request({ ':method': 'GET', ...headers }, { endStream: !hasBody, waitForTrailers: hasBody })
    if (hasBody) stream.on('wantTrailers', () => stream.sendTrailers(trailers ?? {}))
    const response = read(stream)
    // As in Bell: whoever awaits it gets the error, but nobody has to.
    response.catch(() => {})
    if (hasBody && !open) stream.end(body)
    return { stream, response }
  }

  request (headers: OutgoingHttpHeaders, init: Http2Init = {}): Promise<Http2Response> {
    return this.open(headers, init).response
  }

  get (path: string, headers: OutgoingHttpHeaders = {}): Promise<Http2Response> {
    return this.request({ ':path': path, ...headers })
  }
}

function read (stream: ClientHttp2Stream): Promise<Http2Response> {
  return new Promise((resolve, reject) => {
    const informational: IncomingHttpHeaders[] = []
    const chunks: Buffer[] = []
    let headers: IncomingHttpHeaders | null = null
    let trailers: IncomingHttpHeaders = {}
    let complete = false
    let headOnly = false
    const { push } = stream
    // How test/contract/http2.test.ts tells END_STREAM from a reset.
    stream.push = function (chunk: unknown): boolean {
      if (chunk === null && !stream.closed) complete = true
      return push.call(stream, chunk)
    }
    stream.on('headers', (fields) => informational.push(fields))
    stream.on('response', (fields, flags) => {
      headers = fields
      headOnly = (flags & http2.constants.NGHTTP2_FLAG_END_STREAM) !== 0
    })
    stream.on('trailers', (fields) => { trailers = fields })
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.on('error', () => {})
    stream.on('close', () => {
      const { rstCode = 0 } = stream
      if (headers === null) {
        reject(Object.assign(new Error(`the stream was closed with ${rstCode} before a head`), { rstCode }))
        return
      }
      const bytes = Buffer.concat(chunks)
      resolve({ status: Number(headers[':status']), headers, informational, trailers, body: bytes.toString(), bytes, complete, headOnly, rstCode })
    })
  })
}

/** A connection over HTTP/2, with prior knowledge or TLS, closed after the test. */
export async function connectHttp2 (t: TestContext, url: string, options: http2.SecureClientSessionOptions = {}): Promise<Http2Client> {
  const session = http2.connect(url, { ca: trusted, ...options })
  t.after(() => { session.destroy() })
  const client = new Http2Client(session)
  await once(session, 'connect')
  return client
}

/** What to do with one request; `n` counts the streams of this origin from 1. */
export type Http2Step = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, n: number) => void

/** One request as the origin saw it; changes while it arrives. */
export interface Http2Recorded {
  readonly headers: IncomingHttpHeaders
  readonly rawHeaders: string[]
  readonly stream: ServerHttp2Stream
  readonly session: number
  trailers: IncomingHttpHeaders
  body: Buffer
  /** END_STREAM came. */
  complete: boolean
  /** The code of a reset by the other side; null while there is none. */
  reset: number | null
}

export class Http2Origin {
  readonly url: string
  readonly server: Http2Server | Http2SecureServer
  readonly requests: Http2Recorded[] = []
  readonly sessions: ServerHttp2Session[] = []
  readonly bell: Bell = new Bell()

  constructor (server: Http2Server | Http2SecureServer, scheme: string, steps: Http2Step[]) {
    this.server = server
    this.url = `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}`
    server.on('session', (session: ServerHttp2Session) => {
      this.sessions.push(session)
      session.on('error', () => {})
      session.on('close', () => this.bell.ring())
      this.bell.ring()
    })
    server.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, _flags: number, rawHeaders: string[]) => {
      const request: Http2Recorded = {
        headers, rawHeaders, stream, session: this.sessions.indexOf(stream.session as ServerHttp2Session), trailers: {}, body: Buffer.alloc(0), complete: stream.endAfterHeaders, reset: null
      }
      const { push } = stream
      stream.push = (chunk: unknown): boolean => {
        if (chunk === null && !stream.closed) request.complete = true
        return push.call(stream, chunk)
      }
      stream.on('trailers', (fields: IncomingHttpHeaders) => { request.trailers = fields })
      stream.on('error', () => {})
      stream.on('aborted', () => {
        request.reset = stream.rstCode ?? 0
        this.bell.ring()
      })
      stream.on('close', () => {
        if (stream.rstCode !== 0) request.reset ??= stream.rstCode ?? null
        this.bell.ring()
      })
      stream.on('end', () => this.bell.ring())
      this.requests.push(request)
      const n = this.requests.length
      steps[Math.min(n, steps.length) - 1]!(stream, headers, n)
      stream.on('data', (chunk: Buffer) => {
        request.body = Buffer.concat([request.body, chunk])
        this.bell.ring()
      })
      this.bell.ring()
    })
  }

  get openSessions (): number {
    return this.sessions.filter((session) => !session.destroyed).length
  }

  until<T> (what: string, look: () => T | false | null | undefined | 0 | ''): Promise<T> {
    return this.bell.until(what, look)
  }

  async close (): Promise<void> {
    if (!this.server.listening) return
    const closed = once(this.server, 'close')
    this.server.close()
    for (const session of this.sessions) session.destroy()
    await closed
  }
}

async function serve (t: TestContext, server: Http2Server | Http2SecureServer, scheme: string, steps: Http2Step[]): Promise<Http2Origin> {
  server.on('sessionError', () => {})
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const origin = new Http2Origin(server, scheme, steps)
  t.after(() => origin.close())
  return origin
}

/** An upstream of HTTP/2 with prior knowledge: every request takes the next step, the last one repeats. */
export function http2Origin (t: TestContext, ...steps: Http2Step[]): Promise<Http2Origin> {
  return serve(t, http2.createServer(), 'http', steps)
}

/** The same over TLS. */
export function tlsHttp2Origin (t: TestContext, options: SecureServerOptions, ...steps: Http2Step[]): Promise<Http2Origin> {
  return serve(t, http2.createSecureServer(options), 'https', steps)
}

/** Answers once the request is whole. */
export function reply (status: number, body: string | Buffer = '', headers: OutgoingHttpHeaders = {}, trailers: OutgoingHttpHeaders | null = null): Http2Step {
  return (stream) => afterRequest(stream, () => {
    stream.respond({ ':status': status, ...headers }, { waitForTrailers: trailers !== null })
    if (trailers !== null) stream.on('wantTrailers', () => stream.sendTrailers(trailers))
    stream.end(body)
  })
}

/** Answers 200 with the request's fields and body as JSON. */
export function reflect (): Http2Step {
  return (stream, headers, ...rest) => {
    const chunks: Buffer[] = []
    let trailers: IncomingHttpHeaders = {}
    stream.on('trailers', (fields: IncomingHttpHeaders) => { trailers = fields })
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.on('end', () => {
      if (stream.destroyed || stream.closed) return
      stream.respond({ ':status': 200, 'content-type': 'application/json' })
      stream.end(JSON.stringify({ headers, trailers, body: Buffer.concat(chunks).toString('latin1'), rest: rest.length }))
    })
  }
}

function afterRequest (stream: ServerHttp2Stream, act: () => void): void {
  if (stream.endAfterHeaders) act()
  else stream.on('end', () => { if (!stream.destroyed && !stream.closed) act() })
}
