import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import type { FastifyBaseLogger } from 'fastify'
import { proxyError, type ErrorName, type ProxyError } from '../../../lib/errors.ts'
import type { ProxyExchange } from '../../../lib/model/exchange.ts'
import { LazyLogger } from '../../../lib/model/lazy-logger.ts'
import { AccessLog } from '../../../lib/observe/access-log.ts'
import { attemptOf, exchangeWith, type ExchangeFields } from '../samples.ts'

const require = createRequire(import.meta.url)
const pino = createRequire(require.resolve('fastify'))('pino') as (options: object, stream: object) => FastifyBaseLogger

interface Line extends Record<string, unknown> {
  level: string
  msg: string
}

/** The one line that is logged of an exchange. */
function lineOf (shape: (exchange: ProxyExchange) => void = () => {}, fields: ExchangeFields = {}): Line {
  const lines: Line[] = []
  const at = (level: string) => (line: object, msg: string): void => { lines.push({ level, msg, ...line }) }
  const log = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
  const exchange = exchangeWith({ reply: { statusCode: 200 }, startedAt: 1000, url: '/orders/7?token=secret', method: 'PUT', log, ...fields })
  Object.assign(exchange, { endedAt: 1100.126, upstreamPath: '/v2/orders/7?token=secret', bytesIn: 3, bytesOut: 5, attempts: 1 })
  shape(exchange)
  new AccessLog().onExchange(exchange)
  assert.equal(lines.length, 1)
  return lines[0]!
}

function failed (name: ErrorName, isAborted = false): { line: Line, error: ProxyError } {
  const error = proxyError(name, 'connect', new Error('connect ECONNREFUSED 10.0.0.1:3000'))
  return { error, line: lineOf((exchange) => { Object.assign(exchange, { error, isAborted }) }) }
}

test('says of an exchange where it went, what came of it and how long it took', () => {
  const line = lineOf((exchange) => {
    exchange.last = attemptOf(exchange, { startedAt: 1002, sentAt: 1004.504, connectTime: 2, writtenAt: 1010.504, headAt: 1050.5, endedAt: 1099.999, statusCode: 200, reused: true })
  })
  assert.deepEqual(line, {
    level: 'info',
    msg: 'proxied',
    route: '/*',
    upstream: 'orders',
    endpoint: 'http://10.0.0.1:3000',
    variant: 'stable',
    method: 'PUT',
    path: '/orders/7',
    upstreamPath: '/v2/orders/7',
    status: 200,
    error: '',
    flags: '',
    attempts: 1,
    reusedSocket: true,
    bytesIn: 3,
    bytesOut: 5,
    protocol: '1.1',
    durations: { total: 100.13, queue: 0.5, connect: 2, requestBody: 6, ttfb: 40, responseBody: 49.5 }
  })
})

const reached: readonly (readonly [what: string, times: object | null, durations: object])[] = [
  ['never reached an endpoint', null, { total: 100.13, queue: 0, connect: 0, requestBody: 0, ttfb: 0, responseBody: 0 }],
  ['found no connection', { startedAt: 1002, endedAt: 1100 }, { total: 100.13, queue: 0, connect: 98, requestBody: 0, ttfb: 0, responseBody: 0 }],
  ['was sent and not answered', { startedAt: 1002, sentAt: 1005, connectTime: 3, endedAt: 1100 }, { total: 100.13, queue: 0, connect: 3, requestBody: 0, ttfb: 95, responseBody: 0 }]
]

for (const [what, times, durations] of reached) {
  test(`says how long each part took of an exchange that ${what}`, () => {
    const line = lineOf((exchange) => { if (times !== null) exchange.last = attemptOf(exchange, times) })
    assert.deepEqual(line['durations'], durations)
    assert.equal(line['endpoint'], times === null ? null : 'http://10.0.0.1:3000')
    assert.equal(line['reusedSocket'], false)
  })
}

const levels: readonly (readonly [name: ErrorName, isAborted: boolean, level: string, status: number])[] = [
  ['connection_refused', false, 'warn', 200],
  ['http_response_incomplete', false, 'warn', 200],
  ['no_healthy_upstream', false, 'warn', 200],
  ['request_timeout', false, 'warn', 200],
  ['internal_error', false, 'warn', 200],
  ['http_request_error', false, 'info', 200],
  ['client_body_timeout', false, 'info', 200],
  ['client_closed_request', true, 'debug', 499],
  ['client_write_timeout', true, 'debug', 499]
]

for (const [name, isAborted, level, status] of levels) {
  test(`logs ${name} at ${level}, with the error and its cause`, () => {
    const { line, error } = failed(name, isAborted)
    assert.equal(line.level, level)
    assert.deepEqual([line['error'], line['phase'], line['aborted'], line['status'], line['upstreamStatus']], [error.error, 'connect', isAborted, status, null])
    assert.equal(line['err'], error)
    assert.equal((line['err'] as ProxyError).cause, error.cause)
    assert.equal(line['code'], error.code)
  })
}

test('says what the upstream answered before the exchange failed', () => {
  const line = lineOf((exchange) => {
    exchange.last = attemptOf(exchange, { startedAt: 1, sentAt: 2, headAt: 3, statusCode: 206 })
    exchange.error = proxyError('http_response_incomplete', 'responseBody')
  })
  assert.deepEqual([line['upstreamStatus'], line['phase']], [206, 'responseBody'])
  const silent = lineOf((exchange) => {
    exchange.last = attemptOf(exchange)
    exchange.error = proxyError('http_response_timeout', 'responseHeaders')
  })
  assert.equal(silent['upstreamStatus'], null)
})

test('holds the failure of an upstream that answered to be no failure of the proxy', () => {
  const line = lineOf(() => {}, { reply: { statusCode: 503 } })
  assert.deepEqual([line.level, line['status'], line['error'], 'err' in line], ['info', 503, '', false])
})

test('writes no query, neither as it came nor as it was sent', () => {
  for (const url of ['/a?b=c', '/a?', '/a?b?c']) assert.equal(lineOf(() => {}, { url })['path'], '/a')
  assert.equal(lineOf(() => {}, { url: '/a/b' })['path'], '/a/b')
  assert.equal(lineOf((exchange) => { exchange.upstreamPath = '' })['upstreamPath'], '')
  assert.doesNotMatch(JSON.stringify(lineOf()), /secret/)
})

test('a stream that throws, or a serializer, is nobody else\'s trouble', () => {
  const fail = (): void => { throw new Error('no space left') }
  const exchange = exchangeWith({ reply: { statusCode: 200 }, url: '/', log: { info: fail, warn: fail, debug: fail } })
  new AccessLog().onExchange(exchange)
  exchange.error = proxyError('connection_refused', 'connect')
  new AccessLog().onExchange(exchange)
  exchange.isAborted = true
  new AccessLog().onExchange(exchange)
})

test('a line that the request\'s own logger prints stands behind those that wait for others', () => {
  const printed: unknown[] = []
  const write = (text: string): void => { for (const line of text.trim().split('\n')) printed.push((JSON.parse(line) as { reqId: string }).reqId) }
  const parent = pino({}, { fd: 1, minLength: 0, sync: false, write })
  const accessLog = new AccessLog()
  const end = (reqId: string, isUsed: boolean): void => {
    const log = new LazyLogger(parent, { reqId })
    accessLog.onExchange(exchangeWith({ reply: { statusCode: 200 }, startedAt: 1000, url: '/', method: 'GET', log: isUsed ? log.made : log }))
  }
  end('a', false)
  end('b', false)
  assert.deepEqual(printed, [])
  end('c', true)
  assert.deepEqual(printed, ['a', 'b', 'c'])
  end('d', false)
  accessLog.hurry()
  end('e', false)
  assert.deepEqual(printed, ['a', 'b', 'c', 'd', 'e'])
})
