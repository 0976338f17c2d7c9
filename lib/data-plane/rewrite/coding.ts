import type { Transform } from 'node:stream'
import zlib from 'node:zlib'

/** A content coding that can be taken off a body and put on again (RFC 9110 8.4.1). */
export interface Coding {
  /** Whether its first byte says how it is to be read; a stream of any other is not waited for. */
  readonly isAmbiguous: boolean
  /** @param first the first byte of the body, where that matters */
  decoder (first: number): Transform
  /** @param isFlushed whether everything that is written goes out at once, as events must */
  encoder (isFlushed: boolean): Transform
}

/** A read of a socket; zlib's own 16 KiB would cost four times the calls. */
const chunkSize = 64 * 1024

const {
  Z_NO_FLUSH, Z_SYNC_FLUSH, BROTLI_OPERATION_PROCESS, BROTLI_OPERATION_FLUSH, BROTLI_PARAM_QUALITY
} = zlib.constants

function flush (isFlushed: boolean): zlib.ZlibOptions {
  return { chunkSize, flush: isFlushed ? Z_SYNC_FLUSH : Z_NO_FLUSH }
}

const gzip: Coding = {
  isAmbiguous: false,
  decoder: () => zlib.createGunzip({ chunkSize }),
  encoder: (isFlushed) => zlib.createGzip(flush(isFlushed))
}

/** What HTTP calls deflate is zlib's format; some send the bare one, which has another first byte. */
const deflate: Coding = {
  isAmbiguous: true,
  decoder: (first) => (first & 0x0f) === 8 ? zlib.createInflate({ chunkSize }) : zlib.createInflateRaw({ chunkSize }),
  encoder: (isFlushed) => zlib.createDeflate(flush(isFlushed))
}

const brotli: Coding = {
  isAmbiguous: false,
  decoder: () => zlib.createBrotliDecompress({ chunkSize }),
  encoder: (isFlushed) => zlib.createBrotliCompress({
    chunkSize,
    flush: isFlushed ? BROTLI_OPERATION_FLUSH : BROTLI_OPERATION_PROCESS,
    // Its own 11 is for files that are compressed once; this is about as fast as gzip's default, and smaller.
    params: { [BROTLI_PARAM_QUALITY]: 4 }
  })
}

const known = new Map<string, Coding>([['gzip', gzip], ['x-gzip', gzip], ['deflate', deflate], ['br', brotli]])

interface Zstd {
  createZstdDecompress?: (options: object) => Transform
  createZstdCompress?: (options: object) => Transform
  constants: { ZSTD_e_continue?: number, ZSTD_e_flush?: number }
}

/** Node has it from 22.15 and 23.8 on. */
export function addZstd (codings: Map<string, Coding>, { createZstdDecompress, createZstdCompress, constants }: Zstd): void {
  if (createZstdDecompress === undefined || createZstdCompress === undefined) return
  codings.set('zstd', {
    isAmbiguous: false,
    decoder: () => createZstdDecompress({ chunkSize }),
    encoder: (isFlushed) => createZstdCompress({ chunkSize, flush: isFlushed ? constants.ZSTD_e_flush : constants.ZSTD_e_continue })
  })
}
addZstd(known, zlib as unknown as Zstd)

/** What a body is coded with: null for nothing, undefined for what we cannot take off. */
export function codingOf (field: string | string[] | undefined): Coding | null | undefined {
  if (field === undefined) return null
  const names = String(field).toLowerCase().split(',').map((name) => name.trim()).filter((name) => name !== '' && name !== 'identity')
  if (names.length === 0) return null
  // Nobody codes twice but to have a small body unfold without end (CVE-2026-22036).
  return names.length === 1 ? known.get(names[0]!) : undefined
}

/** What is left of Accept-Encoding when it must be something that we can take off again. */
export function acceptable (field: string): string {
  const members = field.split(',').map((member) => member.trim())
  const kept = members.filter((member) => {
    const name = member.split(';', 1)[0]!.trim().toLowerCase()
    return known.has(name) || name === 'identity'
  })
  return kept.length === 0 ? 'identity' : kept.join(', ')
}
