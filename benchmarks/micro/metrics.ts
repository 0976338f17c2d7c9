import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { PerformanceObserver } from 'node:perf_hooks'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { Pool } from 'undici'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { ProxyAttempt } from '../../lib/data-plane/attempt.ts'
import type { AttemptOwner } from '../../lib/data-plane/attempt-owner.ts'
import { ProxyEndpoint } from '../../lib/model/endpoint.ts'
import { readOrigin } from '../../lib/model/origin.ts'
import { ProxyExchange } from '../../lib/model/exchange.ts'
import { ProxyUpstream } from '../../lib/model/upstream.ts'
import { Recorder } from '../../lib/observe/metrics/recorder.ts'
import type { Route } from '../../types/index.ts'
import { median } from '../statistics.ts'

/*
 * What counting costs: the time and the bytes of one record by itself, and the CPU time of a small GET with all metrics on and off, in turns
 * within one run and one process. `npm run bench:metrics`, on a machine that does nothing else; `-- --smoke` only shows that it runs.
 */

const isSmoke = process.argv.includes('--smoke')

/** One exchange with one attempt, as they are when they end. */
function samples (): { exchange: ProxyExchange, attempt: ProxyAttempt } {
  const upstream = new ProxyUpstream('a', { endpoints: [], available: [], tiers: null, isPanic: false, balancer: { pick: (available) => available[0]! }, observers: [] })
  const settings = { weight: 1, host: null, servername: null, connections: 128, connectTimeout: 5000, priority: 0 }
  const endpoint = new ProxyEndpoint(readOrigin('http://10.0.0.1'), settings as ConstructorParameters<typeof ProxyEndpoint>[1], {} as never)
  const request = { method: 'GET' } as FastifyRequest
  const exchange = new ProxyExchange(request, { statusCode: 200 } as FastifyReply, { id: '/*', upstream, slow: 200, canaries: null } as unknown as Route, 1.25)
  const attempt = new ProxyAttempt(exchange, endpoint, 1, 1.5, {} as AttemptOwner)
  Object.assign(attempt, { sentAt: 1.75, writtenAt: 1.75, headAt: 2.5, endedAt: 2.75, statusCode: 200, reused: true })
  Object.assign(exchange, { last: attempt, attempts: 1, attemptedAt: 1.5, endedAt: 3.125, bytesIn: 10, bytesOut: 20 })
  return { exchange, attempt }
}

async function measureRecords (): Promise<void> {
  const recorder = new Recorder('7')
  const { exchange, attempt } = samples()
  const record = (times: number): void => {
    for (let index = 0; index < times; index++) {
      recorder.onAttempt(attempt)
      recorder.onExchange(exchange)
    }
  }
  let collections = 0
  const observer = new PerformanceObserver((list) => { collections += list.getEntries().length })
  observer.observe({ entryTypes: ['gc'] })
  for (let round = 0; round < 50; round++) {
    record(20_000)
    await new Promise(resolve => setImmediate(resolve))
  }

  const times = isSmoke ? 10_000 : 1_000_000
  const nanoseconds: number[] = []
  const bytes: number[] = []
  for (let round = 0; round < (isSmoke ? 2 : 20); round++) {
    await new Promise(resolve => setTimeout(resolve, 5))
    collections = 0
    const heap = process.memoryUsage().heapUsed
    const before = process.cpuUsage()
    record(times)
    const { user, system } = process.cpuUsage(before)
    const used = process.memoryUsage().heapUsed - heap
    await new Promise(resolve => setTimeout(resolve, 5))
    nanoseconds.push((user + system) * 1000 / times)
    // What a collection within it has taken away again is not known.
    if (collections === 0) bytes.push(used / times)
  }
  observer.disconnect()
  console.log(`one record (exchange and attempt): ${median(nanoseconds).toFixed(0)} ns, ${bytes.length === 0 ? '?' : Math.min(...bytes).toFixed(2)} bytes`)
}

/** CPU time of the gateway, in microseconds; sets beforehand whether it counts. */
async function tell (gateway: ChildProcess, what: 'on' | 'off' | 'cpu'): Promise<number> {
  gateway.send(what)
  const [microseconds] = await once(gateway, 'message') as [number]
  return microseconds
}

async function load (pool: Pool, requests: number): Promise<void> {
  let left = requests
  await Promise.all(Array.from({ length: 32 }, async () => {
    while (left-- > 0) await (await pool.request({ path: '/small', method: 'GET' })).body.dump()
  }))
}

/**
 * Of several processes, each of which counts and does not in turns. Two that do the same differ by more than what is measured here: V8
 * compiles neither like the other.
 */
async function measureGateways (): Promise<void> {
  const body = Buffer.alloc(100, 'x')
  const upstream = createServer((_request, response) => { response.writeHead(200, { 'content-type': 'text/plain', 'content-length': 100 }).end(body) }).listen(0, '127.0.0.1')
  await once(upstream, 'listening')
  const origin = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`
  const [processes, pairs, requests] = isSmoke ? [1, 2, 100] : [3, 40, 2500]
  const used: Record<'on' | 'off', number[]> = { on: [], off: [] }
  const ratios: number[] = []
  for (let number = 0; number < processes; number++) {
    const gateway = fork(fileURLToPath(new URL(`./gateway${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url)), [origin])
    const [url] = await once(gateway, 'message') as [string]
    const pool = new Pool(url, { connections: 32 })
    // For V8 to have compiled it.
    await load(pool, requests * 8)
    for (let pair = 0; pair < pairs; pair++) {
      // Now one first, now the other: what the machine does meanwhile falls on both.
      for (const what of pair % 2 === 0 ? ['off', 'on'] as const : ['on', 'off'] as const) {
        const before = await tell(gateway, what)
        await load(pool, requests)
        used[what].push((await tell(gateway, 'cpu') - before) / requests)
      }
      ratios.push(used.on.at(-1)! / used.off.at(-1)!)
    }
    await pool.close()
    gateway.disconnect()
    await once(gateway, 'exit')
  }
  upstream.close()
  const percent = (ratio: number): string => `${((ratio - 1) * 100).toFixed(1)} %`
  const sorted = ratios.toSorted((a, b) => a - b)
  console.log(`one small GET: ${median(used.off).toFixed(1)} µs without, ${median(used.on).toFixed(1)} µs with all metrics; ${percent(median(ratios))} in the middle of ${ratios.length} pairs (quarters ${percent(sorted[sorted.length >> 2]!)} and ${percent(sorted[(sorted.length * 3) >> 2]!)})`)
}

await measureRecords()
await measureGateways()
