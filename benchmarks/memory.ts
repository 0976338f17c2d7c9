import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { small } from './answers.ts'
import { absence, contenders, fileOf } from './contenders.ts'
import { cores } from './cores.ts'
import { launch, type Launched } from './launch.ts'
import { startOrigins } from './origin.ts'
import { publishMeasured } from './publish.ts'
import { list, table } from './report.ts'
import { smallGet } from './scenarios/small-get.ts'
import { median } from './statistics.ts'
import { versions } from './versions.ts'
import { hasWrk, wrk } from './wrk.ts'

/*
 * What is held by connections, exchanges, routes and endpoints, and whether it grows with requests. `npm run bench:memory`; see docs/performance.md.
 */

const { values: flags } = parseArgs({
  options: {
    connections: { type: 'string', default: '8000' },
    exchanges: { type: 'string', default: '2000' },
    /** 0 leaves that out; five millions take some minutes. */
    requests: { type: 'string', default: '1000000' },
    parts: { type: 'string', default: 'connections,exchanges,declared,growth' },
    publish: { type: 'boolean', default: false },
    smoke: { type: 'boolean', default: false }
  }
})
const connections = flags.smoke ? 200 : Number(flags.connections)
const exchanges = flags.smoke ? 100 : Number(flags.exchanges)
const requests = flags.smoke ? 20_000 : Number(flags.requests)
const routes = flags.smoke ? 500 : 12_000
const endpoints = flags.smoke ? 50 : 1000

const mostPerConnection = 8 * 1024
/**
 * What is held is known to some hundred KiB, since caches fill (those of the slowest exchanges take minutes) and code is compiled; five million requests that leave
 * a byte each are ten times as much.
 */
const mostGrowth = 512 * 1024

// The clients are here.
if (cores !== null) spawnSync('taskset', ['-a', '-p', '-c', cores.rest, String(process.pid)])

const started = new Date().toISOString()
const probe = ['--import', pathToFileURL(join(import.meta.dirname, 'memory', 'probe.js')).href]
const origins = await startOrigins()
const verdicts: string[] = []
let isMissed = false

const parts: string[] = []
const measures: Record<string, () => Promise<string>> = {
  connections: async () => table([[`${connections} idle client connections`, 'resident, each', 'held, each'], ...await idleConnections()]),
  exchanges: async () => table([[`${exchanges} open exchanges`, 'resident, each', 'held, each'], ...await openExchanges()]),
  declared: async () => table([['of ours', 'held, each'], ...await declared()]),
  growth
}
for (const part of flags.parts.split(',')) {
  if (part === 'growth' && requests === 0) continue
  const measure = measures[part]
  if (measure === undefined) throw new Error(`--parts does not know '${part}', only ${Object.keys(measures).join(', ')}`)
  parts.push(await measure())
  // It takes minutes; what is there is shown.
  process.stderr.write(`\n${parts.at(-1)}\n`)
}
parts.push(list('Goals:', verdicts))
const text = parts.join('\n\n')
process.stdout.write(`${text}\n`)
if (flags.publish) publishMeasured('memory', { started, versions: versions(), text, data: null })
process.exit(isMissed && !flags.smoke ? 1 : 0)

function fileFor (name: string): string {
  if (name === 'node-bare') return join(import.meta.dirname, 'memory', 'node-bare.js')
  return fileOf(contenders.find((contender) => contender.name === name)!)
}

function isAbsent (name: string): boolean {
  const contender = contenders.find((one) => one.name === name)
  return contender !== undefined && absence(contender) !== null
}

/** Resident growth as it is, then what is still held when garbage has gone, from two processes: collecting changes what is resident. */
async function both (name: string, count: number, open: (launched: Launched, many: number) => Promise<Socket[]>, env: Record<string, string> = {}): Promise<[number, number | null]> {
  const options = { on: 'proxy', upstream: `http://127.0.0.1:${env['SCRIPTED'] === undefined ? origins.fast.port : origins.scripted.port}`, env } as const
  const grown: (number | null)[] = []
  for (const isProbed of [false, true]) {
    if (isProbed && name === 'go-httputil') {
      grown.push(null)
      continue
    }
    const launched = await launch(fileFor(name), { ...options, node: isProbed ? probe : [] })
    const read = async (): Promise<number> => isProbed ? await launched.ask('held') as number : residentBytes(launched)
    // What the first ones cost is code, and room for garbage that does not come back.
    if (hasWrk) await wrk(smallGet, { name, origin: `http://127.0.0.1:${launched.port}` }, flags.smoke ? 1 : 4, false)
    const warm = await open(launched, 50)
    await sleep(1000)
    const before = await read()
    const sockets = await open(launched, count)
    await sleep(2000)
    grown.push((await read() - before) / count)
    for (const socket of [...warm, ...sockets]) socket.destroy()
    await launched.stop()
    process.stderr.write('.')
  }
  return grown as [number, number | null]
}

async function idleConnections (): Promise<string[][]> {
  const rows = []
  for (const name of ['ours', 'fastify-http-proxy', 'node-bare', 'go-httputil']) {
    if (isAbsent(name)) continue
    const [resident, held] = await both(name, connections, ({ port }, many) => openMany(port, many, '/small', true))
    rows.push([name, kib(resident), held === null ? '' : kib(held)])
    if (name === 'ours') note(`an idle client connection holds ${kib(resident)} of resident memory, the goal ${kib(mostPerConnection)}`, resident <= mostPerConnection)
  }
  return rows
}

async function openExchanges (): Promise<string[][]> {
  const rows = []
  for (const name of ['ours', 'fastify-http-proxy', 'floor', 'go-httputil']) {
    if (isAbsent(name)) continue
    const [resident, held] = await both(name, exchanges, ({ port }, many) => openMany(port, many, '/never', false), { FEATURE: 'room', SCRIPTED: '1' })
    rows.push([name, kib(resident), held === null ? '' : kib(held)])
  }
  return rows
}

async function declared (): Promise<string[][]> {
  const held = async (env: Record<string, string>): Promise<number> => {
    const launched = await launch(join(import.meta.dirname, 'memory', 'endpoints.js'), { on: 'proxy', upstream: 'none', env, node: probe })
    const bytes = await launched.ask('held') as number
    await launched.stop()
    return bytes
  }
  const one = await held({})
  const perRoute = (await held({ ROUTES: String(routes) }) - one) / (routes - 1)
  const perEndpoint = (await held({ ENDPOINTS: String(endpoints) }) - one) / (endpoints - 1)
  return [[`a route (of ${routes})`, kib(perRoute)], [`an endpoint (of ${endpoints}, without connections)`, kib(perEndpoint)]]
}

/** The last parts of it are held against the first: what grows, grows with each. */
async function growth (): Promise<string> {
  if (!hasWrk) return 'Growth was not measured: wrk is not installed.'
  const launched = await launch(fileFor('ours'), { on: 'proxy', upstream: `http://127.0.0.1:${origins.fast.port}`, node: probe })
  const addressee = { name: 'ours', origin: `http://127.0.0.1:${launched.port}` }
  let sent = 0
  const send = async (many: number): Promise<void> => {
    const end = sent + many
    while (sent < end) {
      const { requests, fault } = await wrk(smallGet, addressee, flags.smoke ? 1 : 5, false)
      if (fault !== null) throw new Error(fault)
      sent += requests
    }
  }
  await send(requests / 10)
  sent = 0
  const first = await launched.ask('held') as number
  const points: number[] = []
  for (let part = 1; part <= 10; part++) {
    await send(requests * part / 10 - sent)
    points.push((await launched.ask('held') as number - first) / 1024)
    process.stderr.write('.')
  }
  const resident = residentBytes(launched)
  await launched.stop()
  const grown = (median(points.slice(-3)) - median(points.slice(0, 3))) * 1024
  note(`in the last three tenths of ${sent.toLocaleString('en-US')} requests ${Math.round(grown / 1024)} KiB more are held than in the first three, the limit ${mostGrowth / 1024} KiB`, grown <= mostGrowth)
  return `Held after each tenth of ${sent.toLocaleString('en-US')} requests, in KiB over what was held before: ${points.map((point) => Math.round(point)).join(', ')}. Resident at the end: ${Math.round(resident / 1024 / 1024)} MiB.`
}

/** Connections that have sent one GET each; with `isAnswered` each has had its answer. */
async function openMany (port: number, many: number, path: string, isAnswered: boolean): Promise<Socket[]> {
  const sockets: Socket[] = []
  for (let opened = 0; opened < many; opened += 50) {
    sockets.push(...await Promise.all(Array.from({ length: Math.min(50, many - opened) }, () => open(port, path, isAnswered))))
  }
  return sockets
}

async function open (port: number, path: string, isAnswered: boolean): Promise<Socket> {
  return await new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    let received = ''
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`)
      if (!isAnswered) resolve(socket)
    })
    socket.on('data', (chunk: Buffer) => {
      received += chunk.toString('latin1')
      if (received.endsWith(small.toString('latin1'))) resolve(socket)
      else if (!received.startsWith('HTTP/1.1 200')) reject(new Error(received))
    })
    socket.on('close', () => { reject(new Error(`closed: ${received}`)) })
  })
}

function residentBytes ({ pid }: Launched): number {
  // A contender that is no Node program is the only child of a thin process of ours.
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim().split(' ').filter((child) => child !== '')
  return [String(pid), ...children].reduce((sum, one) => sum + Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${one}/status`, 'latin1'))![1]) * 1024, 0)
}

function note (what: string, isMet: boolean): void {
  verdicts.push(`${what}: ${isMet ? 'met' : 'missed'}`)
  isMissed ||= !isMet
}

function kib (bytes: number): string {
  return `${(bytes / 1024).toFixed(1)} KiB`
}
