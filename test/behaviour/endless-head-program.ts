import type { TestContext } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import Fastify from 'fastify'
import proxy from '../../lib/index.ts'
import { block, END_HEADERS, END_STREAM, frame, framesOrigin } from '../helpers/frames.ts'

/*
 * Answers over HTTP/2 whose heads have more CONTINUATION frames than nghttp2 takes, and garbage collections between them. In a process of its
 * own: Node would end the one in which a session that failed so is collected before its stream. Tells the statuses that it saw.
 */

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

const FRAMES = 20
const ROUNDS = 150

const lines = (number: number): Buffer => block(Array.from({ length: 100 }, (_, index) => [`x-${number}-${index}`, 'v'.repeat(100)] as const))
const status = block([[':status', '200']])
let isShort = false
const upstream = await framesOrigin({ after: () => {} } as unknown as TestContext, ({ type, stream }, wire) => {
  if (type !== 'HEADERS') return
  if (isShort) wire.write(frame('HEADERS', END_HEADERS | END_STREAM, stream, status))
  else {
    const rest = Array.from({ length: FRAMES }, (_, number) => frame('CONTINUATION', 0, stream, lines(number + 1)))
    wire.write(Buffer.concat([frame('HEADERS', 0, stream, Buffer.concat([status, lines(0)])), ...rest]))
  }
})

const app = Fastify()
await app.register(proxy, {
  upstream: {
    endpoints: [upstream.url],
    pool: { protocol: 'h2', maxHeaderSize: 2 ** 20 },
    // The probes read such heads as well.
    health: { interval: 20, timeout: 1000, fall: 10_000 },
    outlier: false,
    breaker: false
  }
})
const seen = new Map<number, number>()
for (let round = 0; round < ROUNDS; round++) {
  isShort = round === ROUNDS - 1
  const { statusCode } = await app.inject('/')
  seen.set(statusCode, (seen.get(statusCode) ?? 0) + 1)
  // Several at a time: the order in which they are taken is what matters.
  if (round % 5 === 0) collectGarbage()
}
console.log(JSON.stringify(Object.fromEntries(seen)))
process.exit(0)
