import type { Names } from './names.ts'

/** Bytes of lines that wait to be written: some hundred access lines. */
const SIZE = 64 * 1024

/** What one value may at most add; see `#hasRoom`. */
const LONGEST_NUMBER = 24

/** Up to here bytes are copied one by one, at 2.7 ns each; `set` takes 25 ns however many there are. */
const FEW = 8

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
  #length = 0
  #lineStart = 0
  #isWhole = true

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
    const { length } = bytes
    if (!this.#hasRoom(length)) return
    const target = this.#bytes
    const start = this.#length
    if (length > FEW) target.set(bytes, start)
    else for (let index = 0; index < length; index++) target[start + index] = bytes[index]!
    this.#length = start + length
  }

  /** One of many that come again and again, with what stands around it. */
  name (names: Names, name: string | number): void {
    const bytes = names.bytesOf(name)
    if (bytes.length === 0) this.#isWhole = false
    else this.piece(bytes)
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
