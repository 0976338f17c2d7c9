import { readFileSync } from 'node:fs'

/*
 * Which part of the way the time of a profile was spent in: node dist/benchmarks/stages.js FILE.cpuprofile (of `node --cpu-prof`, see docs/performance.md).
 * Time is given to the function that runs, not to those that call it; what V8 has inlined counts for the one it was inlined into.
 */

interface Profile {
  readonly nodes: readonly { readonly id: number, readonly callFrame: { readonly functionName: string, readonly url: string } }[]
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

/** The first that fits is the stage of a function. */
const stages: readonly (readonly [stage: string, pattern: RegExp])[] = [
  ['idle', /^\(idle\)/],
  ['garbage collector', /^\(garbage collector\)/],
  ['writes to sockets and files (writev, write)', /^(writeLatin1String|writeUtf8String|writeBuffer|writev|writeString|writeAsciiString|writeBuffers) /],
  ['reading, polling, V8 itself', /^\((program|root)\)/],
  ['ours: access log', /\/lib\/observe\/(access|line)/],
  ['ours: metrics, slowest', /\/lib\/observe\//],
  ['ours: request and response heads', /\/lib\/data-plane\/(transform|request-head|response-head|field-names|content)/],
  ['ours: connections', /\/lib\/data-plane\/pool\//],
  ['ours: the exchange', /\/lib\/(data-plane|model|plugin|gateway|control-plane)/],
  ['reply-from', /@fastify\/reply-from/],
  ['undici', /\/undici\/|lib\/dispatcher|wasm/],
  ['Fastify', /\/(fastify|find-my-way|avvio|light-my-request|secure-json-parse|fast-json)[^/]*\//],
  ['Node: http, net, streams', /node:/]
]

const { nodes, samples, timeDeltas } = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as Profile
const stageOf = new Map(nodes.map(({ id, callFrame: { functionName, url } }) => {
  const name = `${functionName} ${url}`
  return [id, stages.find(([, pattern]) => pattern.test(name))?.[0] ?? 'other native code']
}))
const end = timeDeltas.reduce((sum, delta) => sum + delta, 0)
const time = new Map<string, number>()
let at = 0
for (const [index, sample] of samples.entries()) {
  const delta = timeDeltas[index]!
  at += delta
  // Until then it started, and V8 had not optimized what it will.
  if (at < end * 0.5) continue
  const stage = stageOf.get(sample)!
  time.set(stage, (time.get(stage) ?? 0) + delta)
}
time.delete('idle')
const busy = [...time.values()].reduce((sum, one) => sum + one, 0)
for (const [stage, one] of [...time].toSorted((a, b) => b[1] - a[1])) {
  console.log(`${(one / busy * 100).toFixed(1).padStart(5)} %  ${stage}`)
}
