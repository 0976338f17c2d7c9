import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { Pool } from 'undici'
import { median } from '../statistics.ts'

/*
 * What the policies of an upstream cost while nothing is wrong: the CPU time of a small GET with all of them and without any, in turns within one process,
 * since V8 compiles no two processes alike. `npm run bench:policies`, on a machine that does nothing else; `-- --smoke` only shows that it runs.
 */

const isSmoke = process.argv.includes('--smoke')
const [processes, pairs, requests] = isSmoke ? [1, 2, 100] : [3, 40, 2500]
const sides = ['plain', 'guarded'] as const
type Side = typeof sides[number]

async function listen (): Promise<Server> {
  const body = Buffer.alloc(100, 'x')
  const server = createServer((_request, response) => { response.writeHead(200, { 'content-type': 'text/plain', 'content-length': 100 }).end(body) }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}

async function cpuOf (gateway: ChildProcess): Promise<number> {
  gateway.send('cpu')
  const [microseconds] = await once(gateway, 'message') as [number]
  return microseconds
}

async function load (pool: Pool, side: Side, requests: number): Promise<void> {
  let left = requests
  await Promise.all(Array.from({ length: 32 }, async () => {
    while (left-- > 0) {
      const { statusCode, body } = await pool.request({ path: `/${side}/small`, method: 'GET' })
      if (statusCode !== 200) throw new Error(`${side}: ${statusCode}`)
      await body.dump()
    }
  }))
}

const servers = await Promise.all([listen(), listen(), listen()])
const origins = servers.map((server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`)
const used: Record<Side, number[]> = { plain: [], guarded: [] }
const ratios: number[] = []
for (let number = 0; number < processes; number++) {
  const gateway = fork(fileURLToPath(new URL(`./guarded-gateway${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url)), origins)
  const [url] = await once(gateway, 'message') as [string]
  const pool = new Pool(url, { connections: 32 })
  // For V8 to have compiled it.
  for (let round = 0; round < 4; round++) {
    for (const side of sides) await load(pool, side, requests)
  }
  for (let pair = 0; pair < pairs; pair++) {
    // Now one first, now the other: what the machine does meanwhile falls on both.
    for (const side of pair % 2 === 0 ? sides : sides.toReversed()) {
      const before = await cpuOf(gateway)
      await load(pool, side, requests)
      used[side].push((await cpuOf(gateway) - before) / requests)
    }
    ratios.push(used.guarded.at(-1)! / used.plain.at(-1)!)
  }
  await pool.close()
  gateway.disconnect()
  await once(gateway, 'exit')
}
for (const server of servers) server.close()

const percent = (ratio: number): string => `${((ratio - 1) * 100).toFixed(1)} %`
const sorted = ratios.toSorted((a, b) => a - b)
console.log(`one small GET: ${median(used.plain).toFixed(1)} µs without, ${median(used.guarded).toFixed(1)} µs with all policies; ${percent(median(ratios))} in the middle of ${ratios.length} pairs ` +
  `(quarters ${percent(sorted[sorted.length >> 2]!)} and ${percent(sorted[(sorted.length * 3) >> 2]!)})`)
// A shared machine is not a reason to fail where it is only shown that it runs.
if (!isSmoke && median(ratios) > 1.05) {
  console.error('policies cost more than 5 %')
  process.exitCode = 1
}
