/**
 * Follows the frames of one direction (RFC 6455 5.2) by their heads alone. Nothing is parsed, unmasked or kept: this tells where a
 * frame of our own may go in between, and whether a close frame has passed.
 */
export class Frames {
  /** Bytes of the head seen so far; 0 between frames and inside of a payload. */
  #seen = 0
  /** Bytes of the length still to come, and the length so far. */
  #lengthBytes = 0
  #length = 0
  #maskBytes = 0
  /** Bytes of mask and payload still to come. */
  #left = 0
  #isClose = false
  #hasClosed = false

  /** Whether the last byte was the last of a frame, or none has come. */
  get isBetween (): boolean {
    return this.#left === 0 && this.#seen === 0
  }

  /** Whether a close frame has passed whole. */
  get hasClosed (): boolean {
    return this.#hasClosed
  }

  /**
   * Takes in what has come.
   * @param isToStop whether to stop at the first end of a frame
   * @returns how many bytes were taken
   */
  take (chunk: Buffer, isToStop: boolean = false): number {
    let index = 0
    const end = chunk.length
    while (index < end) {
      if (this.#left > 0) {
        const step = Math.min(this.#left, end - index)
        index += step
        this.#left -= step
      } else {
        this.#head(chunk[index++]!)
      }
      if (this.#left > 0 || this.#seen > 0) continue
      if (this.#isClose) this.#hasClosed = true
      if (isToStop) return index
    }
    return index
  }

  #head (byte: number): void {
    if (this.#seen === 0) {
      this.#isClose = (byte & 0x0f) === 0x8
      this.#seen = 1
      return
    }
    if (this.#seen === 1) {
      this.#maskBytes = (byte & 0x80) === 0 ? 0 : 4
      const length = byte & 0x7f
      this.#seen = 2
      if (length >= 126) {
        this.#lengthBytes = length === 126 ? 2 : 8
        this.#length = 0
        return
      }
      this.#length = length
    } else {
      this.#length = this.#length * 256 + byte
      if (--this.#lengthBytes > 0) return
    }
    this.#left = this.#length + this.#maskBytes
    this.#seen = 0
  }
}

/** "Going away" (RFC 6455 7.4.1): all that a proxy that stops, or has waited long enough, can say. */
const GOING_AWAY = [0x03, 0xe9]

/** A close frame as an upstream sends it. */
export const closeForClient: Buffer = Buffer.from([0x88, 0x02, ...GOING_AWAY])
/** The same as a client sends it: masked (RFC 6455 5.1), by zeros, since there is nothing to hide and no script that chose it. */
export const closeForUpstream: Buffer = Buffer.from([0x88, 0x82, 0, 0, 0, 0, ...GOING_AWAY])
