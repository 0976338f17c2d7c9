import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import type { ProxyOptions } from '../../types/index.ts'
import { connect, type Client, type RawResponse } from '../helpers/client.ts'
import { answer, origin } from '../helpers/origin.ts'
import { start, type Extra, type LogLine, type Started } from '../helpers/proxy.ts'

/** A row of the error table as a client and the log see it. */
export interface Row {
  status: number
  /** The word in the log, and in capitals behind FST_SLUICE_ in the answer. */
  error: string
  /** The word in Proxy-Status, where it is another one. */
  proxyStatus?: string
  /** 40 (warn) where an upstream or the proxy failed, 30 (info) where the client did. */
  level?: 30 | 40
  phase: string
}

/** A proxy with the upstream in question under `/sick/*`, and one that is well under `/well`. */
export async function startSick (t: TestContext, upstream: NonNullable<ProxyOptions['upstreams']>[string], route: object = {}, extra: Extra = {}): Promise<Started> {
  const well = await origin(t, answer(200, 'well'))
  return start(t, {
    upstreams: { sick: upstream },
    routes: [{ url: '/sick/*', upstream: 'sick', ...route }, { url: '/well', upstream: well.url }]
  }, extra)
}

export const get = 'GET /sick/x HTTP/1.1\r\nHost: proxy.test\r\n\r\n'

/** Sends one request and holds everything that a failure owes against the answer, the log, and what the connection is good for. */
export async function assertFails (t: TestContext, proxy: Started, row: Row, request: string | ((client: Client) => void) = get): Promise<LogLine> {
  const client = await connect(t, proxy.port)
  if (typeof request === 'string') client.write(request)
  else request(client)
  const response = await client.response()
  assertAnswer(response, row)
  const line = await proxy.line()
  assertLine(line, row)
  await assertClean(proxy, client, response)
  assertOneLine(proxy, line)
  return line
}

/** The status, the words for it, and nothing that only we should know. */
export function assertAnswer (response: RawResponse, { status, error, proxyStatus = error }: Row): void {
  const text = response.body.toString()
  assert.equal(response.status, status, text)
  assert.equal(response.complete, true)
  assert.equal(response.headers['proxy-status'], `sluice; error=${proxyStatus}`)
  assert.match(response.headers['content-type'] ?? '', /^application\/problem\+json\b/)
  const problem = JSON.parse(text) as Record<string, unknown>
  assert.equal(problem['code'], `FST_SLUICE_${error.toUpperCase()}`)
  assert.equal(problem['status'], status)
  assert.deepEqual(Object.keys(problem), ['type', 'title', 'status', 'detail', 'code', 'requestId'])
  // An address, a file, a stack, a word of undici's or of the system's.
  assert.doesNotMatch(text + response.rawHeaders.join('\n'), /127\.0\.0\.1|localhost|node_modules|\n {4}at |UND_ERR|ECONN|EPIPE|ENOTFOUND|HPE_|undici/)
}

export function assertLine (line: LogLine, { status, error, level = 40, phase }: Row): void {
  const { err, ...rest } = line
  assert.deepEqual(
    { status: rest['status'], error: rest['error'], level: rest.level, phase: rest['phase'], aborted: rest['aborted'] },
    { status, error, level, phase, aborted: false },
    JSON.stringify(err)
  )
  // The only place that tells an operator what really happened.
  assert.equal(err.code, `FST_SLUICE_${error.toUpperCase()}`)
}

/** The next request on the connection has its own answer; or the connection says that it closes, and does. */
export async function assertClean (proxy: Started, client: Client, response: RawResponse): Promise<void> {
  if (response.headers['connection'] === 'close') {
    await client.closed
    return
  }
  client.write('GET /well HTTP/1.1\r\nHost: proxy.test\r\n\r\n')
  const next = await client.response()
  assert.equal(next.status, 200)
  assert.equal(next.body.toString(), 'well')
  await proxy.line(({ route }) => route === '/well')
  client.socket.destroy()
}

/** Nobody else has a word to say about the exchange. */
export function assertOneLine (proxy: Started, line: LogLine): void {
  assert.deepEqual(proxy.logs.filter(({ reqId }) => reqId === line['reqId']), [line])
}
