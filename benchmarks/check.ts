import { Agent, request as sendPlain } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { Agent as SecureAgent, request as sendSecure } from 'node:https'
import { countOf, large, medium, small } from './answers.ts'
import { answerTo, plain, type Scenario } from './scenario.ts'
import type { Addressee } from './wrk.ts'

const answerTimeout = 10_000

interface Question {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Buffer
}

interface Answer {
  readonly status: number
  readonly message: IncomingMessage
  readonly body: Buffer
}

type Ask = (path: string, question?: Question) => Promise<Answer>

/** What is wrong with the answer on the scenario's own path, or null. */
export async function checkScenario (scenario: Scenario, { name, origin }: Addressee): Promise<string | null> {
  const { method, path, upload, feature } = scenario
  return await withConnection(origin, async function right (ask) {
    const body = upload === 0 ? {} : { body: Buffer.alloc(upload, 'x'), headers: { 'content-length': String(upload) } }
    // Twice: the second one travels over connections that are kept alive.
    for (let i = 0; i < 2; i++) expectAnswer(await ask(path, { method, ...body }), 200, answerTo(scenario, name))

    // What the scenario is about has to be seen to happen.
    if (plain.includes(name)) return
    if (feature === 'canary') {
      expectAnswer(await ask('/where'), 200, Buffer.from('127.0.0.1'))
      expectAnswer(await ask('/where', { headers: { 'x-canary': 'true' } }), 200, Buffer.from('127.0.0.2'))
    }
    if (feature === 'endpoints') {
      const seen = new Set<string>()
      for (let i = 0; i < 200; i++) seen.add((await ask('/where')).body.toString())
      if (seen.size !== 8) throw new Error(`asked ${seen.size} of eight endpoints: ${[...seen].join(' ')}`)
    }
  })
}

/** What is wrong with everything else that a proxy has to get right. Upstream has to be the scripted origin. */
export async function checkManners (origin: string): Promise<string[]> {
  const faults = []
  for (const [manner, holds] of Object.entries(manners)) {
    const fault = await withConnection(origin, async function polite (ask) {
      await holds(ask)
      // Whatever was asked before, the connection still works.
      expectAnswer(await ask('/small'), 200, small)
    })
    if (fault !== null) faults.push(`${manner}: ${fault}`)
  }
  return faults
}

const manners: Record<string, (ask: Ask) => Promise<void>> = {
  async 'GET small' (ask) { expectAnswer(await ask('/small'), 200, small) },
  async 'GET 64 KiB' (ask) { expectAnswer(await ask('/64k'), 200, medium) },
  async 'GET 10 MiB' (ask) { expectAnswer(await ask('/10m'), 200, large) },
  async 'GET chunked' (ask) { expectAnswer(await ask('/chunked'), 200, medium) },

  async 'HEAD keeps the length' (ask) {
    const answer = await ask('/64k', { method: 'HEAD' })
    expectAnswer(answer, 200, none)
    expectHeader(answer, 'content-length', String(medium.length))
  },
  async 'POST with length' (ask) {
    expectAnswer(await ask('/echo', { method: 'POST', body: medium, headers: { 'content-type': 'text/plain', 'content-length': String(medium.length) } }), 200, medium)
  },
  async 'POST JSON' (ask) {
    // Not reformatted, not parsed.
    const body = Buffer.from('{ "a" :1 }')
    expectAnswer(await ask('/echo', { method: 'POST', body, headers: { 'content-type': 'application/json', 'content-length': String(body.length) } }), 200, body)
  },
  async 'POST chunked' (ask) {
    expectAnswer(await ask('/echo', { method: 'POST', body: medium, headers: { 'content-type': 'text/plain', 'transfer-encoding': 'chunked' } }), 200, medium)
  },
  async 'POST 1 MiB' (ask) {
    const body = large.subarray(0, 1024 * 1024)
    expectAnswer(await ask('/echo-length', { method: 'POST', body, headers: { 'content-length': String(body.length) } }), 200, countOf(body.length))
  },
  async 'redirect passes unfollowed' (ask) {
    const answer = await ask('/redirect')
    expectAnswer(answer, 302, none)
    const { location } = answer.message.headers
    // A proxy may make it absolute, as long as it is not followed and leads to the same path.
    if (new URL(location ?? '', 'http://127.0.0.1').pathname !== '/small') throw new Error(`location is ${location}`)
  },
  async 'Set-Cookie stays two' (ask) {
    const cookies = (await ask('/cookies')).message.headers['set-cookie'] ?? []
    if (cookies.length !== 2 || !cookies[1]!.includes('Expires=Thu, 01')) throw new Error(`got ${cookies.length}: ${cookies.join(' | ')}`)
  },
  async 'a 304' (ask) {
    const answer = await ask('/not-modified', { headers: { 'if-none-match': '"v1"' } })
    expectAnswer(answer, 304, none)
    expectHeader(answer, 'etag', '"v1"')
  },
  async 'a 204' (ask) { expectAnswer(await ask('/no-content'), 204, none) },
  async 'a 404' (ask) { expectAnswer(await ask('/missing'), 404, Buffer.from('gone')) }
}

const none = Buffer.alloc(0)

function expectAnswer (answer: Answer, status: number, body: Buffer): void {
  if (answer.status !== status) throw new Error(`status ${answer.status} instead of ${status}`)
  if (!answer.body.equals(body)) throw new Error(`a body of ${answer.body.length} bytes is not the expected one of ${body.length}`)
}

function expectHeader (answer: Answer, name: string, value: string): void {
  const actual = answer.message.headers[name]
  if (actual !== value) throw new Error(`${name} is ${String(actual)} instead of ${value}`)
}

async function withConnection (origin: string, asked: (ask: Ask) => Promise<void>): Promise<string | null> {
  // One connection for all, so that an answer which is longer or shorter than it says spoils the next one.
  const agent = origin.startsWith('https:') ? new SecureAgent({ keepAlive: true, maxSockets: 1 }) : new Agent({ keepAlive: true, maxSockets: 1 })
  try {
    await asked((path, question = {}) => ask(agent, origin, path, question))
    return null
  } catch (error) {
    return (error as Error).message
  } finally {
    agent.destroy()
  }
}

async function ask (agent: Agent, origin: string, path: string, { method = 'GET', headers = {}, body }: Question): Promise<Answer> {
  return await new Promise((resolve, reject) => {
    const send = agent instanceof SecureAgent ? sendSecure : sendPlain
    // Whose certificate it is is of no interest here.
    const request = send(`${origin}${path}`, { agent, method, headers, rejectUnauthorized: false })
    const timer = setTimeout(() => request.destroy(new Error(`no answer within ${answerTimeout / 1000} s`)), answerTimeout)
    const failed = (error: Error): void => { clearTimeout(timer); reject(error) }

    request.once('error', failed)
    request.once('response', (message) => {
      const chunks: Buffer[] = []
      message.once('error', failed)
      message.on('data', (chunk: Buffer) => chunks.push(chunk))
      message.once('end', () => {
        clearTimeout(timer)
        resolve({ status: message.statusCode ?? 0, message, body: Buffer.concat(chunks) })
      })
    })
    request.end(body)
  })
}
