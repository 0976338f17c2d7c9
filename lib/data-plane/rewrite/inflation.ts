import { Transform, type TransformCallback } from 'node:stream'
import type { ProxyExchange } from '../../model/exchange.ts'
import { proxyError } from '../../errors.ts'

/** Deflate comes to 1,032 at most; what goes beyond is made to. */
const RATIO = 1100
/** Bytes below which nothing is judged: brotli makes a few bytes of a megabyte of spaces. */
const FLOOR = 16 * 1024 * 1024

/** Bounds what a coded body may become: by the route's `responseLimit`, and by how much of it came over the wire. */
export class Inflation extends Transform {
  readonly #exchange: ProxyExchange
  #bytes = 0

  constructor (exchange: ProxyExchange) {
    super({ highWaterMark: 64 * 1024 })
    this.#exchange = exchange
  }

  override _transform (chunk: Buffer, _encoding: BufferEncoding, callback: TransformCallback): void {
    this.#bytes += chunk.length
    const { route, bytesOut } = this.#exchange
    if (this.#bytes > route.responseLimit || (this.#bytes > FLOOR && this.#bytes > bytesOut * RATIO)) {
      callback(proxyError('http_response_body_size', 'responseBody', new Error(`${bytesOut} bytes became more than ${this.#bytes - 1}`)))
      return
    }
    callback(null, chunk)
  }
}
