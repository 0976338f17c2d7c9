import { Socket, type SocketConstructorOpts } from 'node:net'

/** For a connection that has filled what all share: a body of 64 KiB, as much as libuv reads at a time, and its head come in one read, and can leave in one write. */
const SIZE = 72 * 1024
/** For a connection that has filled that too: a read and a write cost something however little they move, and up to here fewer of them were cheaper (10 MiB: 6.2, 5.4 and 4.8 ms at 64, 136 and 264 KiB). */
const LARGE_SIZE = 264 * 1024
/** Up to here a read is copied: cheaper than new memory for the next one, and what is kept of it keeps no more than itself. */
const COPIED = 16 * 1024
/** So many of those in a row, and a connection does without memory of its own again: rare enough that getting it back costs nothing. */
const SMALL_READS = 64
/** Milliseconds for which a connection that carries nothing keeps the process from ending at most. */
const LINGER = 100
/** As it is now: tests of apps put one in its place that may never fire. */
const { setTimeout: later } = globalThis

/**
 * What connections read into that are given no more than this at a time. It is copied before anybody sees it, so one is enough for all: 72 KiB of its
 * own for each were most of what an open exchange held, a load that came back had V8 collect garbage for the memory of its new connections, and
 * what is always the same memory is in the processor's cache (3 % of a small GET).
 */
const shared = Buffer.allocUnsafeSlow(COPIED)

/**
 * A connection that reads into the same memory again and again. Node gives every read 64 KiB of new memory; finding, faulting in and
 * collecting it was more than half of what a large body cost outside the kernel.
 *
 * Small reads are copied. Of large ones the memory is lent: whoever has done with a chunk may say so (`takeBack`) while it is being
 * handed to him, and what nobody takes back belongs to those who hold it, the next read having new memory. So that to forget it
 * costs time, never bytes.
 *
 * undici reads a socket by 'readable', `read()` and `unshift()` alone (test/contract/undici-reading.test.ts). It lets go of the event loop
 * with every answer and takes hold of it again with the next request, at the price of two calls into Node; here those that still carry
 * nothing a moment later let go of it, together.
 */
export class ReadingSocket extends Socket {
  #memory: Buffer = shared
  /** How much is to be read at a time from here on. */
  #size = COPIED
  /** Small reads since the last large one. */
  #small = 0
  /** Where the bytes of the present read end in it. */
  #end = 0
  #isLent = false
  /** What undici has not taken. */
  #unread: Buffer | null = null
  #isStopped = false
  /** Whether it is read like any other: undici has let go of it. */
  #isStream = false
  /** Whether it is to hold the event loop, and whether it does not. */
  #isBusy = true
  #isLoose = false
  #isListed = false

  /** Those that may have to let go of the event loop. */
  static #idle: ReadingSocket[] = []

  constructor () {
    // An option of Node's that its types give to connect() alone.
    super({
      onread: {
        buffer: () => this.#next(),
        callback: (length: number) => this.#arrived(length)
      }
    } as SocketConstructorOpts)
  }

  override read (size?: number): Buffer | null {
    // Node's own ways to learn of the end.
    if (size !== undefined || this.#isStream) return super.read(size) as Buffer | null
    const unread = this.#unread
    if (unread !== null) {
      this.#unread = null
      return unread
    }
    if (this.#isStopped) {
      this.#isStopped = false
      this.resume()
    }
    return null
  }

  /** Of a reader that paused: the rest, to be read first. Nothing else comes before. */
  override unshift (rest: Buffer): void {
    if (this.#isStream) super.unshift(rest)
    else this.#unread = rest
  }

  override ref (): this {
    this.#isBusy = true
    if (!this.#isLoose) return this
    this.#isLoose = false
    return super.ref()
  }

  override unref (): this {
    this.#isBusy = false
    if (this.#isListed) return this
    this.#isListed = true
    // It fires: what it waits for holds the event loop.
    if (ReadingSocket.#idle.push(this) === 1) later(() => { ReadingSocket.#letGo() }, LINGER).unref()
    return this
  }

  static #letGo (): void {
    const listed = ReadingSocket.#idle
    ReadingSocket.#idle = []
    for (const socket of listed) {
      socket.#isListed = false
      socket.#loosen()
    }
  }

  #loosen (): void {
    if (this.#isBusy || this.#isLoose || this.destroyed) return
    this.#isLoose = true
    super.unref()
  }

  /** For a tunnel: what comes from here on is 'data', and nobody else's. */
  becomeStream (): void {
    this.#isStream = true
    if (this.#unread !== null && this.#unread.length > 0) super.unshift(Buffer.from(this.#unread))
    this.#unread = null
  }

  /** The chunk, handed out by the present read, is not needed any more. */
  takeBack (chunk: Buffer): void {
    // The last of the read alone: what came before it may still be looked at (a field whose end is in the next read).
    if (chunk.buffer === this.#memory.buffer && chunk.byteOffset + chunk.length === this.#end) this.#isLent = false
  }

  #next (): Buffer {
    if (this.#isLent || this.#memory.length !== this.#size) this.#memory = this.#size === COPIED ? shared : Buffer.allocUnsafeSlow(this.#size)
    this.#isLent = false
    return this.#memory
  }

  /** @returns whether to read on */
  #arrived (length: number): boolean {
    const read = this.#memory.subarray(0, length)
    this.#measure(length)
    if (this.#isStream) return this.#push(read)
    this.#isLent = length > COPIED
    this.#end = length
    this.#unread = this.#isLent ? read : Buffer.from(read)
    this.emit('readable')
    // undici has paused, or nobody reads yet.
    this.#isStopped = this.#unread !== null
    return !this.#isStopped
  }

  #measure (length: number): void {
    if (length === this.#memory.length) this.#size = length === COPIED ? SIZE : LARGE_SIZE
    if (length >= COPIED) this.#small = 0
    else if (++this.#small === SMALL_READS) this.#size = COPIED
  }

  /** Node asks for more, by `_read`, once there is room again. */
  #push (read: Buffer): boolean {
    this.#isLent = read.length > COPIED
    return this.push(this.#isLent ? read : Buffer.from(read))
  }
}
