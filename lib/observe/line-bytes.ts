/** Bytes of lines that wait to be written: some hundred access lines. */
const SIZE = 64 * 1024

/** What one value may at most add; see `#hasRoom`. */
const LONGEST_NUMBER = 24

/** Names whose bytes are kept. Configuration has fewer, and Node knows 35 methods; what upstreams are discovered is not ours to know. */
const NAMES = 4096

const QUOTE = 0x22
const BACKSLASH = 0x5c
const ZERO = 0x30

/**
 * Lines of JSON as bytes in one piece of memory that is used again and again. A line made of strings costs most of its time in the
 * strings that it is made of; here only values that are new are looked at, byte by byte. What does not fit, or is not plain, makes the
 * whole line fail (`isWhole`), for somebody slower to print.
 */
export class LineBytes {
  readonly #bytes: Buffer = Buffer.allocUnsafeSlow(SIZE)
  readonly #names = new Map<string, Uint8Array>()
  readonly #fields = new Map<string, Uint8Array>()
  #length = 0
  #lineStart = 0
  #isWhole = true
  #time = 0
  #timeDigits: Uint8Array = new Uint8Array(0)

  get isEmpty (): boolean {
    return this.#length === 0
  }

  /** Whether everything of the present line has been printed. */
  get isWhole (): boolean {
    return this.#isWhole
  }

  begin (): void {
    this.#lineStart = this.#length
    this.#isWhole = true
  }

  /** Forgets the present line. */
  drop (): void {
    this.#length = this.#lineStart
  }

  /** Everything that was printed since. */
  take (): string {
    const text = this.#bytes.toString('latin1', 0, this.#length)
    this.#length = 0
    this.#lineStart = 0
    return text
  }

  /** Bytes that stand in every line. */
  piece (bytes: Uint8Array): void {
    if (!this.#hasRoom(bytes.length)) return
    const target = this.#bytes
    let end = this.#length
    for (let index = 0; index < bytes.length; index++) target[end++] = bytes[index]!
    this.#length = end
  }

  /** A string that comes again and again: the name of something. */
  name (text: string): void {
    this.#kept(this.#names, text, '', '')
  }

  /** What stands before a value: the name of its field. */
  field (name: string): void {
    this.#kept(this.#fields, name, ',', ':')
  }

  /** A string that hardly comes twice, up to `end`. */
  text (text: string, end: number = text.length): void {
    if (!this.#hasRoom(end + 2)) return
    const target = this.#bytes
    let at = this.#length
    target[at++] = QUOTE
    for (let index = 0; index < end; index++) {
      const code = text.charCodeAt(index)
      if (code < 0x20 || code === QUOTE || code === BACKSLASH || code > 0xff) {
        this.#isWhole = false
        return
      }
      target[at++] = code
    }
    target[at++] = QUOTE
    this.#length = at
  }

  /** What is not ours: an app's genReqId may give anything. */
  value (value: unknown): void {
    if (typeof value === 'string') this.text(value)
    else this.#isWhole = false
  }

  /** Milliseconds since 1970, which are the same for many a line. */
  time (milliseconds: number): void {
    if (milliseconds !== this.#time) {
      this.#time = milliseconds
      this.#timeDigits = Buffer.from(String(milliseconds), 'latin1')
    }
    this.piece(this.#timeDigits)
  }

  integer (value: number): void {
    if (!this.#hasRoom(LONGEST_NUMBER)) return
    if (value >= 0 && value < 10) this.#bytes[this.#length++] = ZERO + value
    else if (value >= 10 && value < 0x7fffffff) this.#digits(value)
    else this.#rare(value)
  }

  /** A number of milliseconds, in hundredths: more digits are noise. */
  hundredths (milliseconds: number): void {
    if (!this.#hasRoom(LONGEST_NUMBER)) return
    const hundredths = Math.round(milliseconds * 100)
    if (!(hundredths >= 0 && hundredths < 0x7fffffff)) {
      this.#rare(hundredths / 100)
      return
    }
    const whole = (hundredths / 100) | 0
    this.integer(whole)
    const rest = hundredths - whole * 100
    if (rest === 0) return
    const target = this.#bytes
    const tens = (rest / 10) | 0
    const ones = rest - tens * 10
    target[this.#length++] = 0x2e
    target[this.#length++] = ZERO + tens
    if (ones !== 0) target[this.#length++] = ZERO + ones
  }

  #kept (known: Map<string, Uint8Array>, text: string, before: string, behind: string): void {
    let bytes = known.get(text)
    if (bytes === undefined) {
      const json = before + JSON.stringify(text) + behind
      if (known.size >= NAMES) known.clear()
      // Beyond latin1 there is no one byte for each character: left to somebody slower.
      bytes = isLatin1(json) ? Buffer.from(json, 'latin1') : EMPTY
      known.set(text, bytes)
    }
    if (bytes.length === 0) this.#isWhole = false
    this.piece(bytes)
  }

  #digits (value: number): void {
    let count = 0
    for (let rest = value; rest !== 0; rest = (rest / 10) | 0) count++
    const end = this.#length + count
    for (let at = end - 1, rest = value; at >= this.#length; at--) {
      const shorter = (rest / 10) | 0
      this.#bytes[at] = ZERO + rest - shorter * 10
      rest = shorter
    }
    this.#length = end
  }

  #rare (value: number): void {
    const json = JSON.stringify(value)
    this.#length += this.#bytes.write(json, this.#length, 'latin1')
  }

  #hasRoom (bytes: number): boolean {
    if (this.#length + bytes <= SIZE) return true
    this.#isWhole = false
    return false
  }
}

const EMPTY = new Uint8Array(0)

function isLatin1 (text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    if (text.charCodeAt(index) > 0xff) return false
  }
  return true
}
