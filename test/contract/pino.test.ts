import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import test from 'node:test'
import Fastify, { type FastifyBaseLogger } from 'fastify'

// What observe/line-writer.ts and model/lazy-logger.ts lean on; where one of these falls, pino prints for itself again.

function symbols (log: object): string[] {
  const found: string[] = []
  for (let object: object | null = log; object !== null; object = Object.getPrototypeOf(object) as object | null) {
    found.push(...Object.getOwnPropertySymbols(object).map(({ description }) => description!))
  }
  return found
}

test('pino keeps its stream, its mixin and its redaction under symbols of these names', () => {
  const { log } = Fastify({ logger: { level: 'silent' } })
  for (const name of ['pino.stream', 'pino.mixin', 'pino.stringifiers', 'pino.serializers', 'pino.formatters', 'pino.hooks']) assert.ok(symbols(log).includes(name), name)
})

test('pino writes to a file through a stream that knows its descriptor and takes any text', () => {
  const require = createRequire(import.meta.url)
  const pino = createRequire(require.resolve('fastify'))('pino') as { destination (options: object): { fd: number, minLength: number, write (text: string): boolean, destroy (): void } }
  const stream = pino.destination({ dest: '/dev/null', sync: true })
  assert.equal(typeof stream.fd, 'number')
  assert.equal(stream.minLength, 0)
  assert.doesNotThrow(() => stream.write('one\ntwo\n'))
  stream.destroy()
})

test('Fastify\'s own factory of child loggers has this name, and one of the app\'s has not', () => {
  const app = Fastify()
  assert.equal(app.childLoggerFactory.name, 'defaultChildLoggerFactory')
  app.setChildLoggerFactory(function own (logger, bindings, options) { return logger.child(bindings, options) as FastifyBaseLogger })
  assert.equal(app.childLoggerFactory.name, 'own')
})

test('pino says by a number whether info is printed', () => {
  const { log } = Fastify({ logger: { level: 'info' } })
  const numbered = log as typeof log & { levelVal: number }
  for (const [level, number] of [['trace', 10], ['debug', 20], ['info', 30], ['warn', 40], ['silent', Infinity]] as const) {
    log.level = level
    assert.equal(numbered.levelVal, number)
  }
})
