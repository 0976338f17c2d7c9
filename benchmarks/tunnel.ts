import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { setTimeout as sleep } from 'node:timers/promises'
import { cores } from './cores.ts'
import { cpuOf } from './cpu.ts'
import { launch, type Launched } from './launch.ts'
import { median } from './statistics.ts'
import { frame } from './tunnel/messages.ts'

/*
 * What a message through a tunnel costs, and what an open tunnel holds. `npm run bench:tunnel`; see benchmarks/README.md.
 */

const { values: flags } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    duration: { type: 'string', default: '3' },
    tunnels: { type: 'string', default: '5000' },
    smoke: { type: 'boolean', default: false }
  }
})
const rounds = flags.smoke ? 1 : Number(flags.rounds)
const duration = flags.smoke ? 0.3 : Number(flags.duration)
const tunnels = flags.smoke ? 100 : Number(flags.tunnels)

const contenders = ['ours', 'fastify-http-proxy'] as const
type Contender = typeof contenders[number]

/** Connections, and messages under way on each. */
const loads = [
  { size: 1024, connections: 16, window: 32 },
  { size: 65536, connections: 16, window: 4 }
] as const

const GOAL_RATIO = 3
const GOAL_BYTES = 40 * 1024

const folder = join(import.meta.dirname, 'tunnel')
const key = 'dGhlIHNhbXBsZSBub25jZQ=='

// The load is sent from here.
if (cores !== null) spawnSync('taskset', ['-a', '-p', '-c', cores.rest, String(process.pid)])

async function open (port: number, size: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  await new Promise<void>((resolve, reject) => {
    let head = ''
    socket.once('error', reject)
    socket.once('close', () => { reject(new Error(`closed: ${head}`)) })
    socket.on('data', function shake (chunk: Buffer) {
      head += chunk.toString('latin1')
      if (!head.includes('\r\n\r\n')) return
      socket.off('data', shake)
      if (head.startsWith('HTTP/1.1 101 ')) resolve()
      else reject(new Error(head))
    })
    socket.write(`GET /${size} HTTP/1.1\r\nHost: bench.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`)
  })
  return socket
}

interface Round { messages: number, seconds: number, cpu: number }

/** Every message that comes back sends the next one; each has to be the frame that is expected, byte by byte in its head. */
async function send (launched: Launched, { size, connections, window }: typeof loads[number], seconds: number): Promise<Round> {
  const sent = frame(size, true)
  const expected = frame(size, false)
  const isHeadOf = (data: Buffer): boolean => data.length < 4 || data.subarray(0, 4).equals(expected.subarray(0, 4))
  const sockets = await Promise.all(Array.from({ length: connections }, () => open(launched.port, size)))
  let messages = 0
  let fault: Error | null = null
  let isOver = false
  const batches = [sent]
  for (let count = 2; count <= window; count++) batches.push(Buffer.concat([batches[count - 2]!, sent]))
  for (const socket of sockets) {
    let pending = 0
    socket.on('data', (data: Buffer) => {
      if (pending === 0 && !isHeadOf(data)) fault ??= new Error(`not the frame that was sent: ${data.toString('hex', 0, 16)}`)
      pending += data.length
      const count = Math.floor(pending / expected.length)
      pending -= count * expected.length
      messages += count
      if (!isOver && count > 0) socket.write(batches[Math.min(count, window) - 1]!)
    })
    socket.on('close', () => { if (!isOver) fault ??= new Error('a tunnel was closed') })
    socket.write(batches[window - 1]!)
  }
  // Warm.
  await sleep(500)
  const before = { messages, cpu: cpuOf(launched.pid), at: performance.now() }
  await sleep(seconds * 1000)
  const round = { messages: messages - before.messages, cpu: cpuOf(launched.pid) - before.cpu, seconds: (performance.now() - before.at) / 1000 }
  isOver = true
  for (const socket of sockets) socket.destroy()
  if (fault !== null) throw fault
  if (round.messages === 0) throw new Error('no message came back')
  return round
}

function residentBytes ({ pid }: Launched): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))![1]) * 1024
}

/** Resident memory of the proxy per open and silent tunnel that has carried one message each way: both sockets, request, reply and all. */
async function hold (launched: Launched, count: number): Promise<number> {
  const message = frame(1024, true)
  const size = 1024
  const sockets: Socket[] = []
  async function openMore (many: number): Promise<void> {
    for (let opened = 0; opened < many; opened += 50) {
      const batch = await Promise.all(Array.from({ length: 50 }, () => open(launched.port, size)))
      await Promise.all(batch.map((socket) => new Promise<void>((resolve) => {
        socket.once('data', () => { resolve() })
        socket.write(message)
      })))
      sockets.push(...batch)
    }
  }
  // What the first ones cost is code and pools.
  await openMore(50)
  await sleep(500)
  const before = residentBytes(launched)
  await openMore(count)
  await sleep(2000)
  const bytes = (residentBytes(launched) - before) / count
  for (const socket of sockets) socket.destroy()
  return bytes
}

const origin = await launch(join(folder, 'origin.js'), { on: 'rest', upstream: 'http://none' })
const upstream = `http://127.0.0.1:${origin.port}`
let isMissed = false

for (const load of loads) {
  const results = new Map<Contender, Round[]>(contenders.map((name) => [name, []]))
  for (let round = 0; round < rounds; round++) {
    for (const name of contenders) {
      const launched = await launch(join(folder, `${name}.js`), { on: 'proxy', upstream })
      results.get(name)!.push(await send(launched, load, duration))
      await launched.stop()
      process.stderr.write('.')
    }
  }
  const rate = (name: Contender): number => median(results.get(name)!.map(({ messages, seconds }) => messages / seconds))
  const cost = (name: Contender): number => median(results.get(name)!.map(({ messages, cpu }) => cpu / messages))
  console.log(`\n${load.size / 1024} KiB messages, ${load.connections} tunnels, ${load.window} under way on each, ${rounds} rounds of ${duration} s`)
  for (const name of contenders) {
    const each = results.get(name)!.map(({ messages, seconds }) => Math.round(messages / seconds))
    console.log(`  ${name.padEnd(20)} ${Math.round(rate(name)).toString().padStart(8)} messages/s (${Math.min(...each)} to ${Math.max(...each)})  ${cost(name).toFixed(2).padStart(8)} µs of CPU per message`)
  }
  const ratio = rate('ours') / rate('fastify-http-proxy')
  const perCpu = cost('fastify-http-proxy') / cost('ours')
  isMissed ||= ratio < GOAL_RATIO
  console.log(`  ours is ${ratio.toFixed(2)} times as fast, and takes ${perCpu.toFixed(2)} times less CPU (goal: ${GOAL_RATIO} times as fast)`)
}

console.log(`\n${tunnels} open tunnels`)
for (const name of contenders) {
  const launched = await launch(join(folder, `${name}.js`), { on: 'proxy', upstream })
  const bytes = await hold(launched, tunnels)
  await launched.stop()
  if (name === 'ours') isMissed ||= bytes > GOAL_BYTES
  console.log(`  ${name.padEnd(20)} ${(bytes / 1024).toFixed(1).padStart(8)} KiB of resident memory each${name === 'ours' ? ` (goal: ${GOAL_BYTES / 1024} KiB)` : ''}`)
}
await origin.stop()
if (isMissed && !flags.smoke) console.log('\nA goal was missed.')
process.exit()
