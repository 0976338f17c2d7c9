import assert from 'node:assert/strict'
import { tracingChannel } from 'node:diagnostics_channel'
import { readFileSync, mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import type { FastifyBaseLogger } from 'fastify'
import { LineWriter } from '../../../lib/observe/line-writer.ts'

const require = createRequire(import.meta.url)
interface Pino {
  (options: object, stream?: object): FastifyBaseLogger
  destination (options: object): { flushSync (): void, end (): void, destroy (): void }
  stdTimeFunctions: { isoTime: () => string }
}
const pino = createRequire(require.resolve('fastify'))('pino') as Pino

const fields = { route: '/*', path: '/a"b\\c\u2028é', status: 200, ratio: NaN, none: null, reused: true, durations: { total: 1.25, queue: 0 } }
const bindings = { reqId: 'req-1', trace_id: '4bf9' }

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
    const writer = LineWriter.create(log, fields)!

    assert.equal(writer.write(bindings, fields), true)
    writer.flush()
    log.child(bindings).info(fields, 'proxied')

    const [ours, pinos, rest] = text().split('\n')
    assert.equal(withoutTime(ours!), withoutTime(pinos!))
    assert.ok(Math.abs((JSON.parse(ours!) as { time: number }).time - (JSON.parse(pinos!) as { time: number }).time) < 5000)
    assert.equal(rest, '')
  })
}

test('writes the lines of one turn at its end, in their order', async (t) => {
  const { log, text } = toFile(t)
  const writer = LineWriter.create(log, fields)!
  for (const reqId of ['a', 'b', 'c']) writer.write({ reqId }, fields)
  assert.equal(text(), '')
  await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(text().trim().split('\n').map((line) => (JSON.parse(line) as typeof bindings).reqId), ['a', 'b', 'c'])
})

const own: readonly (readonly [what: string, options: object])[] = [
  ['a mixin, even one that has nothing to say yet', { mixin: () => ({}) }],
  ['a hook around the methods', { hooks: { logMethod (this: unknown, args: unknown[], method: (...args: unknown[]) => void) { method.apply(this, args) } } }],
  ['a hook around the stream', { hooks: { streamWrite: (line: string) => line } }],
  ['a formatter of lines', { formatters: { log: (object: object) => object } }],
  ['a formatter of levels', { formatters: { level: (label: string) => ({ severity: label }) } }],
  ['a serializer of a field of ours', { serializers: { path: (path: string) => path } }],
  ['redaction', { redact: ['path'] }],
  ['another clock', { timestamp: pino.stdTimeFunctions.isoTime }],
  ['another name for messages', { messageKey: 'message' }],
  ['its fields in a field', { nestedKey: 'payload' }]
]
for (const [what, options] of own) {
  test(`leaves a logger with ${what} to print for itself`, (t) => assert.equal(LineWriter.create(toFile(t, options).log, fields), null))
}

test('leaves a stream that is no file its lines, one at a time', () => {
  assert.equal(LineWriter.create(pino({}, { write () {} }), fields), null)
})

test('leaves a logger that is not pino alone', () => {
  const log = { info () {}, child: () => log, level: 'info' } as unknown as FastifyBaseLogger
  assert.equal(LineWriter.create(log, fields), null)
})

for (const level of ['warn', 'silent']) {
  test(`has nothing to print at ${level}`, (t) => {
    const { log, text } = toFile(t)
    const writer = LineWriter.create(log, fields)!
    log.level = level
    assert.equal(writer.write(bindings, fields), false)
    writer.flush()
    assert.equal(text(), '')
  })
}

test('lets pino print while somebody listens to its printing', (t) => {
  const writer = LineWriter.create(toFile(t).log, fields)!
  const listeners = { start () {}, end () {}, asyncStart () {}, asyncEnd () {}, error () {} }
  tracingChannel('pino_asJson').subscribe(listeners)
  t.after(() => tracingChannel('pino_asJson').unsubscribe(listeners))
  assert.equal(writer.write(bindings, fields), false)
})

test('outlives a stream that is gone', (t) => {
  const { log, stream } = toFile(t)
  const writer = LineWriter.create(log, fields)!
  writer.write(bindings, fields)
  stream.destroy()
  assert.doesNotThrow(writer.flush)
})
