import type { Socket } from 'node:net'

/** undici counts names and values alone: a head comes to so many times that with all that stands between them, and to so much at least. */
const FRAMING = 2
const SHORTEST_LIMIT = 1024
/** 100 Continue that are taken out for one request; what comes on top undici takes for a broken answer. */
const CONTINUES = 64

const ONE = 0x31
const THREE = 0x33
/** `HTTP/1.1 200 `: as far as the end of the status. */
const STATUS_END = 13
const BEGINNING = Buffer.from('HTTP/1.')

/**
 * Takes out of what a connection gives what undici 7 cannot take, before it reads it: a 100 Continue, which any server may send
 * unasked (RFC 9110 15.2) and which undici closes the connection for; and the Content-Length of a 304 (RFC 9110 8.6), for which it
 * waits for a body in vain and closes too. Only while the head of an answer is due; bodies pass with one comparison per read.
 */
export class HeadSieve {
  /** The length that the last 304 told of; null if it told of none. */
  hiddenLength: string | null = null
  #isDue = false
  #continues = 0
  /** The beginning of a head whose rest is not here. */
  #held: Buffer | null = null
  readonly #headLimit: number

  /** @param headLimit bytes of names and values above which undici refuses a head: a longer one is not waited for */
  constructor (socket: Socket, headLimit: number) {
    this.#headLimit = Math.max(SHORTEST_LIMIT, headLimit * FRAMING)
    const read = socket.read
    // undici reads by `read()`, whatever there is.
    socket.read = (size?: number): Buffer | null => {
      const chunk = read.call(socket, size) as Buffer | null
      return chunk === null || !this.#isDue ? chunk : this.#sift(chunk)
    }
  }

  expect (): void {
    this.#isDue = true
    this.#continues = 0
    this.#held = null
    this.hiddenLength = null
  }

  /** @returns null where nothing is left to read for now */
  #sift (chunk: Buffer): Buffer | null {
    // Nearly every answer: its status begins with 2, 4 or 5.
    if (this.#held === null && chunk.length >= STATUS_END && chunk[9] !== ONE && chunk[9] !== THREE) {
      this.#isDue = false
      return chunk
    }
    let data = this.#held === null ? chunk : Buffer.concat([this.#held, chunk])
    this.#held = null
    for (let start = 0; start < data.length;) {
      if (!mayBegin(data, start)) {
        // No HTTP, and perhaps all that ever comes: undici tells.
        this.#isDue = false
        return data
      }
      if (data.length - start < STATUS_END) return this.#hold(data, start)
      const status = statusAt(data, start)
      const isUnchanged = status === 304
      // 101 is the last word of HTTP on a connection.
      if (!isUnchanged && !(status >= 100 && status < 200 && status !== 101)) {
        this.#isDue = false
        return data
      }
      const end = data.indexOf('\r\n\r\n', start + STATUS_END - 1, 'latin1') + 4
      if (end === 3) {
        if (data.length - start <= this.#headLimit && !bareLine.test(data.toString('latin1', start))) return this.#hold(data, start)
        this.#isDue = false
        return data
      }
      if (isUnchanged) {
        this.#isDue = false
        return this.#withoutLength(data, start, end)
      }
      if (status !== 100 || ++this.#continues > CONTINUES) start = end
      else data = start === 0 ? data.subarray(end) : Buffer.concat([data.subarray(0, start), data.subarray(end)])
    }
    return data.length === 0 ? null : data
  }

  #hold (data: Buffer, start: number): Buffer | null {
    this.#held = data.subarray(start)
    return start === 0 ? null : data.subarray(0, start)
  }

  #withoutLength (data: Buffer, start: number, end: number): Buffer {
    const head = data.toString('latin1', start, end)
    const lines = [...head.matchAll(/\r\ncontent-length[ \t]*:[ \t]*([^\r\n]*)/gi)]
    // What is no length, or several, is for undici to refuse.
    if (lines.length !== 1 || !/^\d+[ \t]*$/.test(lines[0]![1]!)) return data
    const line = lines[0]!
    this.hiddenLength = line[1]!.trim()
    const from = start + line.index
    return Buffer.concat([data.subarray(0, from), data.subarray(from + line[0].length)])
  }
}

/** A line that ends in LF alone: heads do not end as we look for it, or are none. */
const bareLine = /[^\r]\n/

/** Whether this is, or may become, the beginning of a head. */
function mayBegin (data: Buffer, start: number): boolean {
  const length = Math.min(data.length - start, BEGINNING.length)
  return data.compare(BEGINNING, 0, length, start, start + length) === 0
}

/** Of `HTTP/1.1 200 OK`; what is no head gives any other number. */
function statusAt (data: Buffer, start: number): number {
  // SP, or CR where there is no reason.
  if (data[start + 12] !== 0x20 && data[start + 12] !== 0x0d) return -1
  return (data[start + 9]! - 0x30) * 100 + (data[start + 10]! - 0x30) * 10 + data[start + 11]! - 0x30
}
