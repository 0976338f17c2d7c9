import assert from 'node:assert/strict'
import { buffer } from 'node:stream/consumers'
import { PassThrough, Readable } from 'node:stream'
import { test } from 'node:test'
import zlib from 'node:zlib'
import { acceptable, addZstd, codingOf, type Coding } from '../../../../lib/data-plane/rewrite/coding.ts'

const text = Buffer.from('text, '.repeat(1000))

async function decoded (coding: Coding, bytes: Buffer): Promise<Buffer> {
  return buffer(Readable.from([bytes]).pipe(coding.decoder(bytes[0]!)))
}

const rows: readonly (readonly [field: string, code: (bytes: Buffer) => Buffer, decode: (bytes: Buffer) => Buffer])[] = [
  ['gzip', zlib.gzipSync, zlib.gunzipSync],
  ['X-GZIP', zlib.gzipSync, zlib.gunzipSync],
  ['deflate', zlib.deflateSync, zlib.inflateSync],
  ['deflate', zlib.deflateRawSync, zlib.inflateSync],
  [' br ', zlib.brotliCompressSync, zlib.brotliDecompressSync],
  ['identity, gzip', zlib.gzipSync, zlib.gunzipSync]
]

for (const [field, code, decode] of rows) {
  test(`takes '${field}' off and puts it on again (${code.name})`, async () => {
    const coding = codingOf(field)!
    assert.deepEqual(await decoded(coding, code(text)), text)
    for (const isFlushed of [false, true]) {
      const encoder = coding.encoder(isFlushed)
      encoder.end(text)
      assert.deepEqual(decode(await buffer(encoder)), text)
    }
  })
}

test('what is flushed can be read before the end', async () => {
  for (const field of ['gzip', 'deflate', 'br']) {
    const coding = codingOf(field)!
    const encoder = coding.encoder(true)
    const decoder = coding.decoder(8)
    encoder.pipe(decoder)
    encoder.write('data: 1\n\n')
    const [chunk] = await new Promise<Buffer[]>((resolve) => { decoder.once('data', (...chunks: Buffer[]) => { resolve(chunks) }) })
    assert.equal(String(chunk), 'data: 1\n\n', field)
    encoder.destroy()
    decoder.destroy()
  }
})

test('no coding is null, and one that cannot be taken off undefined: unknown ones, and several', () => {
  for (const field of [undefined, '', 'identity', ' , Identity']) assert.equal(codingOf(field), null)
  for (const field of ['compress', 'utf-8', 'gzip, gzip', 'gzip, br', ['gzip', 'gzip'], 'constructor']) assert.equal(codingOf(field), undefined)
})

test('has zstd where Node has it', () => {
  const codings = new Map<string, Coding>()
  addZstd(codings, { constants: {} })
  assert.equal(codings.has('zstd'), false)

  const options: object[] = []
  const create = (given: object): PassThrough => { options.push(given); return new PassThrough() }
  addZstd(codings, { createZstdCompress: create, createZstdDecompress: create, constants: { ZSTD_e_continue: 0, ZSTD_e_flush: 1 } })
  const zstd = codings.get('zstd')!
  assert.ok(zstd.decoder(0) instanceof PassThrough)
  assert.ok(zstd.encoder(true) instanceof PassThrough)
  assert.ok(zstd.encoder(false) instanceof PassThrough)
  assert.deepEqual(options.map((given) => (given as { flush?: number }).flush), [undefined, 1, 0])
  assert.equal(codingOf('zstd') !== undefined, 'createZstdCompress' in zlib)
})

const accepted: readonly (readonly [field: string, kept: string])[] = [
  ['gzip, deflate, br', 'gzip, deflate, br'],
  ['gzip;q=0.5, sdch, compress', 'gzip;q=0.5'],
  ['GZIP , identity;q=0', 'GZIP, identity;q=0'],
  ['*', 'identity'],
  ['', 'identity'],
  ['dcb, dcz', 'identity']
]

for (const [field, kept] of accepted) {
  test(`of 'Accept-Encoding: ${field}' is left '${kept}'`, () => {
    assert.equal(acceptable(field), kept)
  })
}
