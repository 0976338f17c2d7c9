/*
 * Reads what came out of the proxy as strictly as the RFCs allow anyone to be: whatever a lenient reader could take in two ways is a
 * fault. Bytes are latin1 text.
 */

export class Fault extends Error {}

export interface Message {
  /** Request line or status line. */
  start: string
  /** Names in lower case. */
  fields: [name: string, value: string][]
  body: string
}

export function valueOf ({ fields }: Message, name: string): string | undefined {
  return fields.find(([other]) => other === name)?.[1]
}

const fieldLine = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[\t ]*([\t\x20-\x7e\x80-\xff]*?)[\t ]*$/

const NEXT = 'HTTP/1.1 '

/** Messages out of a byte stream, as they come. */
export class Judge {
  #text = ''
  readonly #expect: 'requests' | 'responses'
  /** Tells of which method a response is, by its head; null where it does not say, and may be that of a HEAD. */
  readonly #methodOf: (head: Message) => string | null
  #head: Message | null = null
  #isOpaque = false

  constructor (expect: 'requests' | 'responses', methodOf: (head: Message) => string | null = () => 'GET') {
    this.#expect = expect
    this.#methodOf = methodOf
  }

  /** Whether nothing is half said. */
  get isBetween (): boolean {
    return this.#text === '' && this.#head === null
  }

  /** A body that ends with its connection, or a connection that speaks another protocol by now. */
  get isOpaque (): boolean {
    return this.#isOpaque
  }

  /** All messages that are whole with this; throws a Fault at the first byte that should not be. */
  read (chunk: Buffer): Message[] {
    this.#text += chunk.toString('latin1')
    const whole: Message[] = []
    while (!this.#isOpaque) {
      if (this.#head === null && !this.#readHead()) break
      const head = this.#head!
      if (!this.#readBody(head)) break
      this.#head = null
      whole.push(head)
    }
    if (this.#isOpaque) this.#text = ''
    return whole
  }

  #readHead (): boolean {
    const end = this.#text.indexOf('\r\n\r\n')
    if (end === -1) {
      if (this.#text.length > 200_000) throw new Fault('a head without end')
      return false
    }
    const [start = '', ...lines] = this.#text.slice(0, end).split('\r\n')
    const fields = lines.map((line): [string, string] => {
      const match = fieldLine.exec(line)
      if (match === null) throw new Fault(`not a field: ${JSON.stringify(line)}`)
      return [match[1]!.toLowerCase(), match[2]!]
    })
    this.#text = this.#text.slice(end + 4)
    const head: Message = { start, fields, body: '' }
    if (this.#expect === 'requests') checkRequest(head)
    else if (!/^HTTP\/1\.1 \d{3} [\t\x20-\x7e\x80-\xff]*$/.test(start)) throw new Fault(`not a status line: ${JSON.stringify(start)}`)
    this.#head = head
    return true
  }

  #readBody (head: Message): boolean {
    const lengths = head.fields.filter(([name]) => name === 'content-length')
    const codings = head.fields.filter(([name]) => name === 'transfer-encoding')
    if (lengths.length > 1 || codings.length > 1) throw new Fault(`framed twice: ${JSON.stringify(head)}`)
    if (lengths.length + codings.length > 1) throw new Fault(`a length beside chunks: ${JSON.stringify(head)}`)
    if (lengths.length === 1 && !/^\d{1,15}$/.test(lengths[0]![1])) throw new Fault(`not a length: ${lengths[0]![1]}`)
    if (codings.length === 1 && codings[0]![1].toLowerCase() !== 'chunked') throw new Fault(`not chunked: ${codings[0]![1]}`)
    if (this.#expect === 'responses') {
      const status = Number(head.start.slice(9, 12))
      if (status === 101) {
        this.#isOpaque = true
        return true
      }
      if (status < 200 || status === 204) {
        if (codings.length + lengths.length > 0) throw new Fault(`${status} with a framing`)
        return true
      }
      const method = this.#methodOf(head)
      if (status === 304 || method === 'HEAD') return true
      // No body of those that answer without saying to what begins like the next answer.
      if (method === null && lengths.length === 1) {
        if (this.#text.startsWith(NEXT)) return true
        if (NEXT.startsWith(this.#text)) return false
      }
      if (codings.length + lengths.length === 0) {
        this.#isOpaque = true
        head.body = this.#text
        return true
      }
    }
    if (codings.length === 1) return this.#readChunks(head)
    const length = lengths.length === 1 ? Number(lengths[0]![1]) : 0
    if (this.#text.length < length) return false
    head.body = this.#text.slice(0, length)
    this.#text = this.#text.slice(length)
    return true
  }

  #readChunks (head: Message): boolean {
    for (;;) {
      const end = this.#text.indexOf('\r\n')
      if (end === -1) {
        if (this.#text.length > 20) throw new Fault(`not a chunk size: ${JSON.stringify(this.#text.slice(0, 40))}`)
        return false
      }
      const size = this.#text.slice(0, end)
      if (!/^[0-9a-fA-F]{1,8}$/.test(size)) throw new Fault(`not a chunk size: ${JSON.stringify(size)}`)
      const length = parseInt(size, 16)
      if (length === 0) return this.#readTrailers(end + 2)
      if (this.#text.length < end + 2 + length + 2) return false
      if (this.#text.slice(end + 2 + length, end + 4 + length) !== '\r\n') throw new Fault('a chunk that does not end')
      head.body += this.#text.slice(end + 2, end + 2 + length)
      this.#text = this.#text.slice(end + 4 + length)
    }
  }

  #readTrailers (from: number): boolean {
    let at = from
    for (;;) {
      const end = this.#text.indexOf('\r\n', at)
      if (end === -1) return false
      const line = this.#text.slice(at, end)
      at = end + 2
      if (line === '') break
      const match = fieldLine.exec(line)
      if (match === null) throw new Fault(`not a trailer: ${JSON.stringify(line)}`)
      if (['content-length', 'transfer-encoding', 'host', 'authorization', 'content-type', 'set-cookie', 'cookie', 'connection', 'trailer'].includes(match[1]!.toLowerCase())) throw new Fault(`a trailer that must not be one: ${line}`)
    }
    this.#text = this.#text.slice(at)
    return true
  }
}

const endsHere = new Set(['keep-alive', 'proxy-connection', 'proxy-authorization', 'proxy-authenticate', 'http2-settings', 'alt-svc'])

function checkRequest ({ start, fields }: Message): void {
  const line = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([\x21-\x7e]+) HTTP\/1\.1$/.exec(start)
  if (line === null) throw new Fault(`not a request line: ${JSON.stringify(start)}`)
  const [, method, path] = line
  if (!path!.startsWith('/') && !(path === '*' && (method === 'OPTIONS' || method === 'TRACE'))) throw new Fault(`not a target: ${path}`)
  if (method === 'CONNECT') throw new Fault('a CONNECT')
  const hosts = fields.filter(([name]) => name === 'host')
  if (hosts.length !== 1 || !/^[\w.:[\]-]+$/.test(hosts[0]![1])) throw new Fault(`hosts: ${JSON.stringify(hosts)}`)
  for (const [name, value] of fields) {
    if (endsHere.has(name)) throw new Fault(`${name}: ${value} was forwarded`)
    if (name === 'te' && value !== 'trailers') throw new Fault(`te: ${value} was forwarded`)
    if (name === 'upgrade' && !path!.startsWith('/ws')) throw new Fault(`upgrade: ${value} was forwarded to ${path}`)
    if (name === 'connection' && !/^(?:keep-alive|close|upgrade|te|, )+$/i.test(value)) throw new Fault(`connection: ${value} was forwarded`)
  }
}
