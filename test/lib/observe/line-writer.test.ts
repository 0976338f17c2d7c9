import assert from 'node:assert/strict'
import { tracingChannel } from 'node:diagnostics_channel'
import { readFileSync, mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import type { FastifyBaseLogger } from 'fastify'
import { accessFields } from '../../../lib/observe/access-fields.ts'
import { LineWriter } from '../../../lib/observe/line-writer.ts'
import { attemptOf, exchangeWith } from '../samples.ts'

const require = createRequire(import.meta.url)
interface Pino {
  (options: object, stream?: object): FastifyBaseLogger
  destination (options: object): { flushSync (): void, end (): void, destroy (): void }
  stdTimeFunctions: { isoTime: () => string }
}
const pino = createRequire(require.resolve('fastify'))('pino') as Pino

const bindings = { reqId: 'req-1', trace_id: '4bf9' }

function exchangeAt (url: string): ReturnType<typeof exchangeWith> {
  const exchange = exchangeWith({ reply: { statusCode: 200 }, startedAt: 1000, url, method: 'PUT' })
  Object.assign(exchange, { endedAt: 1100.126, upstreamPath: '/v2/orders?token=secret', bytesIn: 3, bytesOut: 1234567, attempts: 1 })
  exchange.last = attemptOf(exchange, { startedAt: 1002, sentAt: 1004.504, connectTime: 2, writtenAt: 1010.504, headAt: 1050.5, endedAt: 1099.999, statusCode: 200, reused: true })
  return exchange
}
const exchange = exchangeAt('/orders/7é?token=secret')

interface Written { readonly log: FastifyBaseLogger, text: () => string, stream: ReturnType<Pino['destination']> }

function toFile (t: TestContext, options: object = {}): Written {
  const folder = mkdtempSync(join(tmpdir(), 'lines-'))
  const stream = pino.destination({ dest: join(folder, 'log'), sync: true })
  t.after(() => { stream.destroy(); rmSync(folder, { recursive: true }) })
  return { log: pino(options, stream), stream, text: () => readFileSync(join(folder, 'log'), 'utf8') }
}

const withoutTime = (line: string): string => line.replace(/"time":\d{13},/, '')

for (const [what, options] of [['by default', {}], ['with a name', { name: 'an "app"' }], ['without a base', { base: null }], ['at debug', { level: 'debug' }]] as const) {
  test(`prints, byte for byte, what pino prints ${what}`, (t) => {
    const { log, text } = toFile(t, options)
    const writer = LineWriter.create(log, bindings, exchange)!

    assert.equal(writer.add(exchange, bindings), true)
    writer.flush()
    log.child(bindings).info(accessFields(exchange), 'proxied')

    const [ours, pinos, rest] = text().split('\n')
    assert.equal(withoutTime(ours!), withoutTime(pinos!))
    assert.ok(Math.abs((JSON.parse(ours!) as { time: number }).time - (JSON.parse(pinos!) as { time: number }).time) < 5000)
    assert.equal(rest, '')
  })
}

test('writes the lines of one turn at its end, in their order', async (t) => {
  const { log, text } = toFile(t)
  const writer = LineWriter.create(log, bindings, exchange)!
  for (const reqId of ['a', 'b', 'c']) writer.add(exchange, { reqId })
  assert.equal(text(), '')
  await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(text().trim().split('\n').map((line) => (JSON.parse(line) as typeof bindings).reqId), ['a', 'b', 'c'])
})

/** A stream that does not write at once, as pino's are unless they are asked to. */
function toSlowStream (): { writer: LineWriter, writes: string[][] } {
  const writes: string[][] = []
  const write = (text: string): void => { writes.push(text.trim().split('\n').map((line) => (JSON.parse(line) as typeof bindings).reqId)) }
  return { writer: LineWriter.create(pino({}, { fd: 1, minLength: 0, sync: false, write }), bindings, exchange)!, writes }
}

test('the lines of a few turns go together to a stream that does not write at once', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { writer, writes } = toSlowStream()
  for (const reqId of ['a', 'b', 'c']) {
    writer.add(exchange, { reqId })
    await new Promise((resolve) => setImmediate(resolve))
  }
  t.mock.timers.tick(9)
  assert.deepEqual(writes, [])
  t.mock.timers.tick(1)
  assert.deepEqual(writes, [['a', 'b', 'c']])
})

test('what waits for others is written when it is asked for, and once', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { writer, writes } = toSlowStream()
  writer.add(exchange, { reqId: 'a' })
  await new Promise((resolve) => setImmediate(resolve))
  writer.add(exchange, { reqId: 'b' })
  writer.flush()
  assert.deepEqual(writes, [['a', 'b']])
  t.mock.timers.tick(10)
  assert.equal(writes.length, 1)
})

test('more lines than there is memory for do not wait', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { writer, writes } = toSlowStream()
  for (let count = 0; count < 500; count++) {
    writer.add(exchange, bindings)
    await new Promise((resolve) => setImmediate(resolve))
  }
  assert.ok(writes.length > 1)
  t.mock.timers.tick(10)
  assert.equal(writes.flat().length, 500)
})

const others: readonly (readonly [what: string, bindings: Record<string, unknown>, url: string])[] = [
  ['a path with a quote', bindings, '/a"b'],
  ['a path with a backslash', bindings, '/a\\b'],
  ['a path beyond latin1', bindings, '/\u2028'],
  ['a path as long as a whole batch', bindings, `/${'a'.repeat(64 * 1024)}`],
  ['a request id that is no text', { reqId: 7 }, '/']
]
for (const [what, bindings, url] of others) {
  test(`leaves a line with ${what} to pino, and prints those before and behind it`, (t) => {
    const { log, text } = toFile(t)
    const writer = LineWriter.create(log, { reqId: 'first' }, exchange)!
    assert.deepEqual([writer.add(exchange, { reqId: 'first' }), writer.add(exchangeAt(url), bindings), writer.add(exchange, { reqId: 'last' })], [true, false, true])
    writer.flush()
    assert.deepEqual(text().trim().split('\n').map((line) => (JSON.parse(line) as typeof bindings).reqId), ['first', 'last'])
  })
}

test('prints more lines of a turn than it has memory for', (t) => {
  const { log, text } = toFile(t)
  const writer = LineWriter.create(log, bindings, exchange)!
  for (let count = 0; count < 500; count++) writer.add(exchange, bindings)
  writer.flush()
  const lines = text().trim().split('\n').map(withoutTime)
  assert.equal(lines.length, 500)
  assert.equal(new Set(lines).size, 1)
})

test('a logger that throws at a trial prints for itself', () => {
  const broken = new Proxy({}, { get () { throw new Error('gone') }, getPrototypeOf: () => null }) as FastifyBaseLogger
  assert.equal(LineWriter.create(broken, bindings, exchange), null)
})

const own: readonly (readonly [what: string, options: object])[] = [
  ['a mixin, even one that has nothing to say yet', { mixin: () => ({}) }],
  ['a hook around the methods', { hooks: { logMethod (this: unknown, args: unknown[], method: (...args: unknown[]) => void) { method.apply(this, args) } } }],
  ['a hook around the stream', { hooks: { streamWrite: (line: string) => line } }],
  ['a formatter of lines', { formatters: { log: (object: object) => object } }],
  ['a formatter of levels', { formatters: { level: (label: string) => ({ severity: label }) } }],
  ['a serializer of a field of ours', { serializers: { path: (path: string) => path } }],
  ['a serializer of what all lines of a request carry', { serializers: { reqId: (id: string) => id } }],
  ['a serializer of a trace that the first request has none of', { serializers: { span_id: (id: string) => id } }],
  ['redaction', { redact: ['path'] }],
  ['another clock', { timestamp: pino.stdTimeFunctions.isoTime }],
  ['another name for messages', { messageKey: 'message' }],
  ['its fields in a field', { nestedKey: 'payload' }]
]
for (const [what, options] of own) {
  test(`leaves a logger with ${what} to print for itself`, (t) => assert.equal(LineWriter.create(toFile(t, options).log, bindings, exchange), null))
}

test('leaves a stream that is no file its lines, one at a time', () => {
  assert.equal(LineWriter.create(pino({}, { write () {} }), bindings, exchange), null)
})

test('leaves a logger that is not pino alone', () => {
  const log = { info () {}, child: () => log, level: 'info' } as unknown as FastifyBaseLogger
  assert.equal(LineWriter.create(log, bindings, exchange), null)
})

for (const level of ['warn', 'silent']) {
  test(`has nothing to print at ${level}`, (t) => {
    const { log, text } = toFile(t)
    const writer = LineWriter.create(log, bindings, exchange)!
    log.level = level
    assert.equal(writer.add(exchange, bindings), false)
    writer.flush()
    assert.equal(text(), '')
  })
}

test('lets pino print once the app has given its logger bindings of its own', (t) => {
  const { log } = toFile(t)
  const writer = LineWriter.create(log, bindings, exchange)!
  assert.equal(writer.add(exchange, bindings), true);
  (log as unknown as { setBindings (bindings: object): void }).setBindings({ zone: 'a' })
  assert.equal(writer.add(exchange, bindings), false)
})

test('lets pino print while somebody listens to its printing', (t) => {
  const writer = LineWriter.create(toFile(t).log, bindings, exchange)!
  const listeners = { start () {}, end () {}, asyncStart () {}, asyncEnd () {}, error () {} }
  tracingChannel('pino_asJson').subscribe(listeners)
  t.after(() => tracingChannel('pino_asJson').unsubscribe(listeners))
  assert.equal(writer.add(exchange, bindings), false)
})

test('outlives a stream that is gone', (t) => {
  const { log, stream } = toFile(t)
  const writer = LineWriter.create(log, bindings, exchange)!
  writer.add(exchange, bindings)
  stream.destroy()
  assert.doesNotThrow(() => { writer.flush() })
})

for (const [what, wrap] of Object.entries<(log: FastifyBaseLogger) => FastifyBaseLogger>({
  'is its own child': (log) => Object.assign(log, { child: () => log }),
  'stands in front of another, as its children do': (log) => {
    const get = (target: FastifyBaseLogger, name: string | symbol): unknown => name === 'child' ? inFront : Reflect.get(target, name)
    const inFront = (): FastifyBaseLogger => new Proxy(log, { get })
    return inFront()
  }
})) {
  test(`a logger of pino's that ${what} prints for itself, and keeps its stream`, (t) => {
    const { log: pinos, text } = toFile(t)
    const log = wrap(pinos)

    assert.equal(LineWriter.create(log, bindings, exchange), null)
    log.info('still here')
    log.child({}).info('and here')

    assert.deepEqual(text().trim().split('\n').map((line) => (JSON.parse(line) as { msg: string }).msg), ['still here', 'and here'])
  })
}
