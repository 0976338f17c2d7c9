import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { get, type IncomingMessage } from 'node:http'
import { Transform, type Readable } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import test from 'node:test'
import type { FastifyInstance } from 'fastify'
import { origin } from '../helpers/origin.ts'
import { start } from '../helpers/proxy.ts'

/*
 * Connections to upstreams read into the same memory again and again (pool/reading-socket.ts). Whatever becomes of a body, no byte of
 * another read may get into it.
 */

const LENGTH = 600_000
const CLIENTS = 12

const noise = randomBytes(LENGTH + 1000)
/** Of each number another body. */
const bodyOf = (number: number): Buffer => noise.subarray(number, number + LENGTH)
const sha = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

/** How fast a client reads. */
async function fast (response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

async function slow (response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of response) {
    chunks.push(chunk as Buffer)
    for (let turn = 0; turn < 5; turn++) await nextTurn()
  }
  return Buffer.concat(chunks)
}

const copied = (payload: Readable): Transform => payload.pipe(new Transform({ transform (chunk, _encoding, done) { setImmediate(done, null, chunk) } }))

const ways: readonly (readonly [what: string, isChunked: boolean, read: typeof fast, onSend: ((payload: unknown) => unknown) | null])[] = [
  ['read fast', false, fast, null],
  ['read slowly', false, slow, null],
  ['chunked and read fast', true, fast, null],
  ['chunked and read slowly', true, slow, null],
  ['led through a transform by a hook', false, fast, (payload) => copied(payload as Readable)],
  ['held back by a hook', false, slow, async (payload) => { await nextTurn(); await nextTurn(); return payload }]
]

for (const [what, isChunked, read, onSend] of ways) {
  test(`bodies that are ${what}, many at a time, come through byte for byte`, async (t) => {
    const upstream = await origin(t, ...Array.from({ length: 3 * CLIENTS }, () => (request: IncomingMessage, response: import('node:http').ServerResponse) => {
      const body = bodyOf(Number(request.url!.slice(1)))
      response.writeHead(200, isChunked ? {} : { 'content-length': LENGTH })
      // Pieces of all sizes: some are copied, some are lent, some end with a read and some do not.
      for (let from = 0, size = 10; from < LENGTH; from += size, size = Math.min(size * 3, 150_000)) response.write(body.subarray(from, from + size))
      response.end()
    }))
    const app = await start(t, {
      upstreams: { one: { endpoints: [upstream.url], pool: { connections: 4 } } },
      routes: [{ url: '/*', upstream: 'one', ...onSend === null ? {} : { onSend: async (_request: unknown, _reply: unknown, payload: unknown) => await onSend(payload) } }]
    })

    // Three after each other on each connection, so that memory is used again.
    await Promise.all(Array.from({ length: CLIENTS }, async (_, client) => {
      for (let turn = 0; turn < 3; turn++) {
        const number = client * 3 + turn
        const bytes = await new Promise<Buffer>((resolve, reject) => {
          get(`http://127.0.0.1:${app.port}/${number}`, { agent: false }, (response) => { read(response).then(resolve, reject) }).once('error', reject)
        })
        assert.equal(sha(bytes), sha(bodyOf(number)), `body ${number}`)
      }
    }))
  })
}

const ONE_READ = 60_000

/** Who else holds what is sent. */
const holders: readonly (readonly [who: string, hold: (kept: unknown[]) => Record<string, unknown>, around: (kept: unknown[]) => ((app: FastifyInstance) => void) | undefined])[] = [
  ['nobody', () => ({}), () => undefined],
  ['a hook of the route', (kept) => ({ onSend: (_request: unknown, _reply: unknown, payload: unknown, done: (error: null, payload: unknown) => void) => { kept.push(payload); done(null, payload) } }), () => undefined],
  ['a hook of the app', () => ({}), (kept) => (app) => {
    app.addHook('onSend', (_request, _reply, payload, done) => { kept.push(payload); done(null, payload) })
  }],
  ['somebody in the place of end()', () => ({}), (kept) => (app) => {
    app.addHook('onRequest', async (_request, reply) => {
      const { raw } = reply
      const end = raw.end.bind(raw) as (...all: unknown[]) => typeof raw
      raw.end = ((...all: unknown[]) => { kept.push(all[0]); return end(...all) }) as typeof raw.end
    })
  }]
]

for (const [who, hold, around] of holders) {
  test(`bodies that come in one read, and that ${who} keeps, stay as they were`, async (t) => {
    const upstream = await origin(t, ...Array.from({ length: CLIENTS }, () => (request: IncomingMessage, response: import('node:http').ServerResponse) => {
      // With a type: what has none goes out as a stream.
      response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': ONE_READ })
      response.end(bodyOf(Number(request.url!.slice(1))).subarray(0, ONE_READ))
    }))
    const kept: unknown[] = []
    const before = around(kept)
    const app = await start(t, {
      upstreams: { one: { endpoints: [upstream.url], pool: { connections: 1 } } },
      routes: [{ url: '/*', upstream: 'one', ...hold(kept) }]
    }, before === undefined ? {} : { before })

    for (let number = 0; number < CLIENTS; number++) {
      const bytes = await new Promise<Buffer>((resolve, reject) => {
        get(`http://127.0.0.1:${app.port}/${number}`, (response) => { fast(response).then(resolve, reject) }).once('error', reject)
      })
      assert.equal(sha(bytes), sha(bodyOf(number).subarray(0, ONE_READ)), `body ${number}`)
    }

    if (who !== 'nobody') assert.equal(kept.length, CLIENTS)
    for (const [number, body] of kept.entries()) assert.equal(sha(body as Buffer), sha(bodyOf(number).subarray(0, ONE_READ)), `kept ${number}`)
  })
}

test('what a function that rewrites bodies keeps of them stays as it was', async (t) => {
  const size = 40_000
  const upstream = await origin(t, (request: IncomingMessage, response: import('node:http').ServerResponse) => {
    response.setHeader('content-type', 'text/html')
    response.end(noise.subarray(Number(request.url!.slice(1)), Number(request.url!.slice(1)) + size))
  })
  const kept: Buffer[] = []
  const app = await start(t, {
    upstream: { endpoints: [upstream.url], pool: { connections: 1 } },
    body: { rewrite: (received: Buffer) => { kept.push(received); return received } }
  })
  for (let number = 0; number < 5; number++) await app.get(`/${number}`)
  assert.deepEqual(kept.map(sha), [0, 1, 2, 3, 4].map((number) => sha(noise.subarray(number, number + size))))
})
