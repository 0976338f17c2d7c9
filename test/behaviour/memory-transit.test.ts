import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import process from 'node:process'
import { PassThrough, type Readable, type Writable } from 'node:stream'
import { test, type TestContext } from 'node:test'
import { createGunzip, createGzip } from 'node:zlib'
import type { BodyOptions } from '../../types/index.ts'
import { counted, origin, type Step } from '../helpers/origin.ts'
import { assertGrowsLess } from './memory-measure.ts'

const MIB = 1024 * 1024
/** `npm run test:gigabyte` sends 1 GiB; what holds for this much and that holds for any. */
const SIZE = Number(process.env['SLUICE_BODY_BYTES'] ?? 64 * MIB)
/** What the process may grow by while it goes through, garbage included, after as much of the same has gone through before. */
const GROWTH = 32 * MIB
const WARM = 24 * MIB

/** The text is cut by every border of a chunk there is, sooner or later: 4,099 is a prime. */
const line = `${'-'.repeat(4099 - 17)} internal.example`
const changed = line.replace('internal.example', 'outwards.example')

async function send (to: Writable, bytes: number): Promise<void> {
  const piece = Buffer.from(line.repeat(64))
  for (let left = bytes; left > 0; left -= piece.length) {
    if (!to.write(left >= piece.length ? piece : piece.subarray(0, left))) await once(to, 'drain')
  }
  to.end()
}

/** How many bytes came, and whether they are so many of this line over and over. */
async function receive (from: Readable, expected: string): Promise<number> {
  const pattern = Buffer.from(expected.repeat(2))
  const length = expected.length
  let received = 0
  for await (const chunk of from as AsyncIterable<Buffer>) {
    for (let at = 0; at < chunk.length;) {
      const from = (received + at) % length
      const size = Math.min(length, chunk.length - at)
      if (chunk.compare(pattern, from, from + size, at, at + size) !== 0) throw new Error(`other bytes than expected after ${received + at}`)
      at += size
    }
    received += chunk.length
  }
  return received
}

let uploaded: Promise<number> = Promise.resolve(0)

/** Takes what is sent, and then sends as much as `?bytes=` asks for, coded as `?gzip` asks for. */
const exchangeBodies: Step = counted((req, res) => {
  const query = new URL(req.url!, 'http://x').searchParams
  const isCoded = query.has('gzip')
  uploaded = receive(req, line)
  uploaded.then(async () => {
    res.writeHead(200, { 'content-type': 'text/plain', ...(isCoded && { 'content-encoding': 'gzip' }) })
    const out = isCoded ? createGzip({ level: 1 }) : new PassThrough()
    out.pipe(res)
    await send(out, Number(query.get('bytes')))
  }).catch(() => { res.destroy() })
})

async function carry (port: number, bytes: number, isCoded: boolean, expected: string): Promise<void> {
  const req = httpRequest({ port, host: '127.0.0.1', agent: false, method: 'POST', path: `/x?bytes=${bytes}${isCoded ? '&gzip' : ''}`, headers: { 'transfer-encoding': 'chunked' } })
  const answered = once(req, 'response') as Promise<[IncomingMessage]>
  await send(req, bytes)
  const [res] = await answered
  assert.equal(await uploaded, bytes)
  assert.equal(await receive(isCoded ? res.pipe(createGunzip()) : res, expected), bytes)
  assert.ok(res.complete)
}

async function startProxy (t: TestContext, body: BodyOptions): Promise<{ port: number, ask: (question: string) => Promise<number> }> {
  const upstream = await origin(t, exchangeBodies)
  const child = fork(new URL('memory-proxy.js', import.meta.url), [JSON.stringify({ upstream: upstream.url, body })], { execArgv: [] })
  t.after(async () => {
    const exited = once(child, 'exit')
    child.disconnect()
    await exited
  })
  const answer = async (): Promise<number> => (await once(child, 'message') as [number])[0]
  const port = await answer()
  return {
    port,
    async ask (question) {
      child.send(question)
      return answer()
    }
  }
}

const rewrite: BodyOptions = { rewrite: [['internal.example', 'outwards.example']] }
const cases: readonly (readonly [what: string, body: BodyOptions, isCoded: boolean, expected: string])[] = [
  ['as they are', {}, false, line],
  ['with texts replaced in the response', rewrite, false, changed],
  ['with texts replaced in a response in gzip', rewrite, true, changed]
]

for (const [what, body, isCoded, expected] of cases) {
  test(`${SIZE / MIB} MiB up and as much down ${what} make the proxy larger by less than ${GROWTH / MIB} MiB`, (t) => assertGrowsLess(GROWTH, async () => {
    const { port, ask } = await startProxy(t, body)
    await carry(port, WARM, isCoded, expected)
    await ask('begin')

    await carry(port, SIZE, isCoded, expected)

    const grown = await ask('end')
    t.diagnostic(`grew by ${(grown / MIB).toFixed(1)} MiB`)
    return grown
  }))
}
