import { once } from 'node:events'
import http2 from 'node:http2'
import type { TestContext } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { handleOf, keepUntilCollected } from '../../lib/data-plane/pool/http2-handles.ts'
import { block, frame, framesOrigin } from '../helpers/frames.ts'

/* A process whose sessions of node:http2 fail over half a head and are collected, `kept` or not. */

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void
const isKept = process.argv[2] === 'kept'

const lines = (number: number): Buffer => block(Array.from({ length: 100 }, (_, index) => [`x-${number}-${index}`, 'v'.repeat(100)] as const))
const upstream = await framesOrigin({ after: () => {} } as unknown as TestContext, ({ type, stream }, wire) => {
  if (type !== 'HEADERS') return
  const rest = Array.from({ length: 20 }, (_, number) => frame('CONTINUATION', 0, stream, lines(number + 1)))
  wire.write(Buffer.concat([frame('HEADERS', 0, stream, Buffer.concat([block([[':status', '200']]), lines(0)])), ...rest]))
})

async function fail (): Promise<void> {
  const session = http2.connect(upstream.url, { maxHeaderListPairs: 2000 })
  session.on('error', () => {})
  await once(session, 'connect')
  const stream = session.request({ ':path': '/' })
  stream.on('error', () => {})
  if (isKept) keepUntilCollected(handleOf(session), handleOf(stream))
  await new Promise((resolve) => { stream.on('close', resolve) })
}

for (let round = 0; round < 150; round++) {
  await fail()
  if (round % 5 === 0) collectGarbage()
}
console.log('survived')
process.exit(0)
