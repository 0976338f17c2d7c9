import { once } from 'node:events'
import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { connect as connectSocket, type Socket } from 'node:net'
import { Readable } from 'node:stream'
import type { TestContext } from 'node:test'
import { later, patience } from './until.ts'
import { framing, Reader, values, Wire, type Headers } from './wire.ts'

export { values } from './wire.ts'

export interface Head {
  status: number
  reason: string
  /** Names in lower case; set-cookie is a list, other names that came several times are joined with ', '. */
  headers: Headers
  /** Name, value, name, value … as they came. */
  rawHeaders: string[]
}

export interface RawResponse extends Head {
  body: Buffer
  trailers: Headers
  /** The 1xx heads before it; 101 is no such head but the response. */
  informational: Head[]
  /** The body came whole by its own framing; one that ends with the connection needs FIN, not RST. */
  complete: boolean
}

export class Client {
  readonly socket: Socket
  readonly #wire: Wire
  readonly #reader: Reader
  #turn: Promise<unknown> = Promise.resolve()

  constructor (socket: Socket, keep: boolean) {
    this.socket = socket
    this.#wire = new Wire(socket, keep)
    this.#reader = new Reader(this.#wire)
  }

  /** Text goes out as latin1: one byte per character, so any byte can be written. */
  write (data: string | Buffer): void {
    this.socket.write(typeof data === 'string' ? Buffer.from(data, 'latin1') : data)
  }

  /** FIN; what still comes is received. */
  end (): void {
    this.socket.end()
  }

  /** RST. */
  reset (): void {
    this.socket.resetAndDestroy()
  }

  /** Everything so far, whether or not `response` has read it. */
  get received (): Buffer {
    return this.#wire.received
  }

  /** Resolves when what was received contains the latin1 text, or the predicate holds for it. */
  async until (awaited: string | ((received: Buffer) => boolean)): Promise<void> {
    const wire = this.#wire
    const holds = typeof awaited === 'string' ? (received: Buffer) => received.includes(awaited, 0, 'latin1') : awaited
    await wire.bell.until(() => `${typeof awaited === 'string' ? JSON.stringify(awaited) : awaited}, got ${wire.describe()}`, () => {
      if (holds(wire.received)) return true
      if (wire.over) throw new Error(`the connection ended before ${awaited}: ${wire.describe()}`)
      return false
    })
  }

  /** Resolves when the connection is gone; `clean` tells FIN from RST. */
  get closed (): Promise<{ clean: boolean, error: Error | undefined }> {
    const wire = this.#wire
    return wire.bell.until(() => `the end of the connection, got ${wire.describe()}`, () => wire.closed && { clean: wire.clean, error: wire.error })
  }

  /** The next response; those of pipelined requests come in order, also when asked for at once. `head`: it answers HEAD. */
  response ({ head = false }: { head?: boolean } = {}): Promise<RawResponse> {
    const response = this.#turn.then(() => this.#read(head))
    this.#turn = response
    // As in Bell: whoever awaits it gets the error, but nobody has to.
    response.catch(() => {})
    return response
  }

  async #read (answersHead: boolean): Promise<RawResponse> {
    const informational: Head[] = []
    for (;;) {
      const head = await this.#head()
      const { status } = head
      if (status < 200 && status !== 101) {
        informational.push(head)
        continue
      }
      // RFC 9112 §6.3: these have no body, whatever their headers say.
      const bodyless = answersHead || status === 101 || status === 204 || status === 304
      const { body, complete, trailers } = await this.#reader.body(bodyless ? { kind: 'none' } : framing(head.headers, { kind: 'close' }))
      return { ...head, body, trailers: trailers.headers, informational, complete }
    }
  }

  async #head (): Promise<Head> {
    const line = await this.#reader.line()
    const fields = line === null ? null : await this.#reader.fields()
    if (line === null || fields === null) throw new Error(`the connection ended before a whole response head: ${this.#wire.describe()}`)
    const parts = /^HTTP\/1\.[01] (\d{3})(?: (.*))?$/.exec(line)
    if (parts === null) throw new Error(`not a status line: ${JSON.stringify(line)}`)
    return { status: Number(parts[1]), reason: parts[2] ?? '', ...fields }
  }
}

/** A TCP connection that is closed after the test. `keep: false` drops what comes, for tests that watch memory. */
export async function connect (t: TestContext, port: number, { keep = true }: { keep?: boolean } = {}): Promise<Client> {
  const socket = connectSocket(port, '127.0.0.1')
  t.after(() => { socket.destroy() })
  // Each write is its own packet, so that a test decides where a head is split.
  socket.setNoDelay(true)
  await once(socket, 'connect')
  return new Client(socket, keep)
}

/** Connects, writes the text and returns the one response to it; the connection is closed then. */
export async function raw (t: TestContext, port: number, text: string | Buffer): Promise<RawResponse> {
  const client = await connect(t, port)
  client.write(text)
  try {
    return await client.response({ head: text.toString('latin1').startsWith('HEAD ') })
  } finally {
    client.socket.destroy()
  }
}

export interface RequestInit {
  method?: string
  /** An object, or raw pairs: name, value, name, value … */
  headers?: OutgoingHttpHeaders | readonly string[]
  body?: string | Buffer | AsyncIterable<string | Buffer> | Iterable<string | Buffer>
  /** Whom to trust on an https URL. */
  ca?: string
  /** ms until the whole response has to be here. */
  timeout?: number
}

export interface Response {
  status: number
  headers: IncomingHttpHeaders
  rawHeaders: string[]
  trailers: NodeJS.Dict<string>
  /** As UTF-8. */
  body: string
  bytes: Buffer
  /** The connection ended before the body did. */
  aborted: boolean
}

/**
 * One request on a connection of its own. Rejects when no response head comes; a body that is cut resolves with `aborted`.
 * The path goes out as written: unlike a URL, it is not normalised.
 */
export function request (url: string, { method = 'GET', headers = {}, body, ca, timeout = patience }: RequestInit = {}): Promise<Response> {
  const parts = /^(https?):\/\/([^/?#:]+|\[[^\]]+\])(?::(\d+))?(.*)$/.exec(url)
  if (parts === null) return Promise.reject(new Error(`not an http URL: ${url}`))
  const [, scheme, hostname = '', port, path = ''] = parts

  return new Promise((resolve, reject) => {
    let answered = false
    const req = (scheme === 'https' ? httpsRequest : httpRequest)({
      agent: false,
      host: hostname.replace(/^\[(.*)\]$/, '$1'),
      port: port ?? (scheme === 'https' ? 443 : 80),
      path: path.startsWith('/') ? path : `/${path}`,
      method,
      headers: Array.isArray(headers) ? completed(headers, url, body) : headers as OutgoingHttpHeaders,
      ...(ca !== undefined && { ca })
    })
    const cancel = later(() => {
      req.destroy()
      reject(new Error(`waited ${timeout} ms for the response to ${method} ${url}`))
    }, timeout)
    req.on('error', (error) => {
      // After the head this is only about the rest of the request: the response tells by itself how it ended.
      if (!answered) settle(() => reject(error))
    })
    req.on('response', (res: IncomingMessage) => {
      const chunks: Buffer[] = []
      answered = true
      res.on('data', (chunk: Buffer) => chunks.push(chunk))
      res.on('error', () => {})
      res.on('close', () => settle(() => {
        const bytes = Buffer.concat(chunks)
        resolve({
          status: res.statusCode ?? 0,
          headers: res.headers,
          rawHeaders: res.rawHeaders,
          trailers: res.trailers,
          body: bytes.toString(),
          bytes,
          aborted: !res.complete
        })
      }))
    })
    if (body === undefined || typeof body === 'string' || Buffer.isBuffer(body)) req.end(body)
    else Readable.from(body).on('error', error => req.destroy(error)).pipe(req)

    function settle (tell: () => void): void {
      cancel()
      tell()
    }
  })
}

// Node sends raw pairs as they are, without a Host and without a framing that it would else add.
function completed (pairs: readonly string[], url: string, body: RequestInit['body']): string[] {
  const all = [...pairs]
  if (values(all, 'host').length === 0) all.unshift('Host', new URL(url).host)
  if (body === undefined || values(all, 'content-length').length > 0 || values(all, 'transfer-encoding').length > 0) return all
  if (typeof body === 'string' || Buffer.isBuffer(body)) all.push('Content-Length', `${Buffer.byteLength(body)}`)
  else all.push('Transfer-Encoding', 'chunked')
  return all
}
