import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pinned } from './launch.ts'
import { program } from './programs.ts'
import { scratch } from './scratch.ts'
import { answerTo, type Asked, type Scenario } from './scenario.ts'

export interface Measured {
  readonly requests: number
  readonly seconds: number
  /** Latencies in milliseconds. */
  readonly p50: number
  readonly p99: number
  readonly max: number
  /** Why the numbers must not be used, or null. */
  readonly fault: string | null
}

export const hasWrk: boolean = program('wrk') !== null

/** Where a scenario's load goes, and who is there. */
export interface Addressee {
  readonly name: string
  readonly origin: string
}

/**
 * Loads somebody with the traffic of a scenario. With `everyAnswer` each status and body is compared: right for a warm-up, too much work
 * for a measured run, which counts errors and bytes instead.
 */
export async function wrk (scenario: Scenario, { name, origin }: Addressee, seconds: number, everyAnswer: boolean): Promise<Measured> {
  const answer = answerTo(scenario, name)
  // A file for each address: two that are loaded at once would write the same one while wrk reads it.
  const script = join(scratch, `${scenario.name}-${name}-${new URL(origin).port}${everyAnswer ? '-every-answer' : ''}.lua`)
  writeFileSync(script, lua(scenario, answer, everyAnswer))

  const [command, ...args] = pinned('rest', [
    program('wrk')!, '--threads', '1', '--connections', String(scenario.connections), '--duration', `${seconds}s`,
    '--timeout', '10s', '--script', script, `${origin}${scenario.path}`
  ])
  const output = await new Promise<string>((resolve) => {
    const child = execFile(command!, args, { timeout: (seconds + 20) * 1000, killSignal: 'SIGKILL' }, (error, stdout, stderr) => {
      process.off('exit', kill)
      resolve(error ? stderr || error.message : stdout)
    })
    const kill = (): void => { child.kill('SIGKILL') }
    process.once('exit', kill)
  })

  const line = /^RESULT (.+)$/m.exec(output)?.[1]
  if (line === undefined) return { requests: 0, seconds, p50: 0, p99: 0, max: 0, fault: `wrk says: ${output.trim().slice(0, 200)}` }
  const result = JSON.parse(line) as Record<ResultField, number>

  return {
    requests: result.requests,
    seconds: result.duration / 1e6,
    p50: result.p50 / 1e3,
    p99: result.p99 / 1e3,
    max: result.max / 1e3,
    fault: faultOf(scenario, answer, result)
  }
}

type ResultField = 'requests' | 'duration' | 'bytes' | 'p50' | 'p99' | 'max' | 'connect' | 'read' | 'write' | 'status' | 'timeout' | 'wrong'

function faultOf (scenario: Scenario, answer: Buffer, result: Record<ResultField, number>): string | null {
  const faults = (['connect', 'read', 'write', 'timeout'] as const)
    .filter((kind) => result[kind] > 0)
    .map((kind) => `${result[kind]} ${kind} errors`)
  if (result.status > 0) faults.push(`${result.status} unexpected statuses`)
  if (result.wrong > 0) faults.push(`${result.wrong} wrong answers`)
  if (result.requests === 0) faults.push('no answer')

  // wrk takes a redirect, an empty 204 or a short body for success; the bytes tell. At the end each connection
  // may have read a part of an answer that is not counted as a request.
  const { requests, bytes } = result
  const least = requests * answer.length
  const most = (requests + scenario.connections) * (answer.length + headLimit)
  if (bytes < least || bytes > most) faults.push(`${bytes} bytes for ${requests} answers of ${answer.length}`)

  return faults.length === 0 ? null : faults.join(', ')
}

/** No contender's response head comes near it. */
const headLimit = 2048

function lua ({ method, upload, keepAlive, mix }: Scenario, answer: Buffer, everyAnswer: boolean): string {
  const body = upload === 0 ? '' : `wrk.headers["Content-Type"] = "application/octet-stream"\nwrk.body = string.rep("x", ${upload})`
  // A 10 MiB answer is compared by check.ts; here its length has to do.
  const isRight = answer.length < 100_000 ? `body == ${luaString(answer)}` : `#body == ${answer.length}`

  return `
wrk.method = "${method}"
${body}
${keepAlive ? '' : 'wrk.headers["Connection"] = "close"'}
wrong = 0
${mix === null ? '' : luaMix(mix())}
local threads = {}
function setup (thread) table.insert(threads, thread) end
${everyAnswer
  ? `local right = function (body) return ${isRight} end
function response (status, headers, body) if status ~= 200 or not right(body) then wrong = wrong + 1 end end`
  : ''}
function done (summary, latency)
  local wrong = 0
  for _, thread in ipairs(threads) do wrong = wrong + thread:get("wrong") end
  local e = summary.errors
  io.write(string.format(
    '\\nRESULT {"requests":%d,"duration":%d,"bytes":%d,"p50":%d,"p99":%d,"max":%d,"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d,"wrong":%d}\\n',
    summary.requests, summary.duration, summary.bytes, latency:percentile(50), latency:percentile(99), latency.max,
    e.connect, e.read, e.write, e.status, e.timeout, wrong))
end
`
}

/** Prepared once: what a request costs wrk would be taken from the origin. */
function luaMix (asked: readonly Asked[]): string {
  const list = asked.map(({ path, headers }) => `{${luaString(Buffer.from(path))},{${Object.entries(headers).map(([name, value]) => `["${name}"]="${value}"`).join()}}}`)
  return `
local asked = {${list.join(',\n')}}
local prepared, turn = {}, 0
function init ()
  for i, one in ipairs(asked) do prepared[i] = wrk.format(nil, one[1], one[2]) end
end
function request ()
  turn = turn % #prepared + 1
  return prepared[turn]
end`
}

function luaString (bytes: Buffer): string {
  return `"${bytes.toString('latin1').replace(/[\\"\n]/g, (character) => character === '\n' ? '\\n' : `\\${character}`)}"`
}
