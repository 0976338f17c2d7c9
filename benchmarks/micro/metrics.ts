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
import { ProxyExchange } from '../../lib/model/exchange.ts'
import { ProxyUpstream } from '../../lib/model/upstream.ts'
import { Recorder } from '../../lib/observe/metrics/recorder.ts'
import type { Route } from '../../types/index.ts'
import { median } from '../statistics.ts'

/*
 * What counting costs: the time and the bytes of one record by itself, and the CPU time of a small GET with all metrics on and off, in turns
 * within one run. `npm run bench:metrics`, on a machine that does nothing else; `-- --smoke` only shows that it runs.
 */

const isSmoke = process.argv.includes('--smoke')

/** One exchange with one attempt, as they are when they end. */
function samples (): { exchange: ProxyExchange, attempt: ProxyAttempt } {
  const upstream = new ProxyUpstream('a', { endpoints: [], available: [], tiers: null, isPanic: false, balancer: { pick: (available) => available[0]! }, observers: [] })
  const settings = { weight: 1, host: null, servername: null, connections: 128, connectTimeout: 5000, priority: 0 }
  const endpoint = new ProxyEndpoint(new URL('http://10.0.0.1'), settings as ConstructorParameters<typeof ProxyEndpoint>[1], {} as never)
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

interface Gateway {
  readonly child: ChildProcess
  readonly pool: Pool
  readonly microseconds: number[]
}

async function start (upstream: string, metrics: boolean): Promise<Gateway> {
  const child = fork(fileURLToPath(new URL(`./gateway${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url)), [upstream, String(metrics)])
  const [url] = await once(child, 'message') as [string]
  return { child, pool: new Pool(url, { connections: 32 }), microseconds: [] }
}

async function cpuOf ({ child }: Gateway): Promise<number> {
  child.send('cpu')
  const [microseconds] = await once(child, 'message') as [number]
  return microseconds
}

async function load ({ pool }: Gateway, requests: number): Promise<void> {
  let left = requests
  await Promise.all(Array.from({ length: 32 }, async () => {
    while (left-- > 0) await (await pool.request({ path: '/small', method: 'GET' })).body.dump()
  }))
}

async function measureGateways (): Promise<void> {
  const body = Buffer.alloc(100, 'x')
  const upstream = createServer((_request, response) => { response.writeHead(200, { 'content-type': 'text/plain', 'content-length': 100 }).end(body) }).listen(0, '127.0.0.1')
  await once(upstream, 'listening')
  const origin = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`
  const off = await start(origin, false)
  const on = await start(origin, true)
  const requests = isSmoke ? 100 : 10_000
  const rounds = isSmoke ? 2 : 31
  const ratios: number[] = []
  for (let round = 0; round < rounds; round++) {
    // Now one first, now the other: what the machine does meanwhile falls on both.
    const turn = round % 2 === 0 ? [off, on] : [on, off]
    for (const gateway of turn) {
      const before = await cpuOf(gateway)
      await load(gateway, requests)
      gateway.microseconds.push((await cpuOf(gateway) - before) / requests)
    }
    // The first rounds are V8's.
    if (round >= 5 || isSmoke) ratios.push(on.microseconds.at(-1)! / off.microseconds.at(-1)!)
  }
  for (const { child, pool } of [on, off]) {
    await pool.close()
    child.disconnect()
  }
  upstream.close()
  const [without, withAll] = [median(off.microseconds.slice(-ratios.length)), median(on.microseconds.slice(-ratios.length))]
  const percent = (ratio: number): string => `${((ratio - 1) * 100).toFixed(1)} %`
  const sorted = ratios.toSorted((a, b) => a - b)
  console.log(`one small GET: ${without.toFixed(1)} µs without, ${withAll.toFixed(1)} µs with all metrics; ${percent(median(ratios))} in the middle of ${ratios.length} rounds (quarters ${percent(sorted[sorted.length >> 2]!)} and ${percent(sorted[(sorted.length * 3) >> 2]!)})`)
}

await measureRecords()
await measureGateways()
