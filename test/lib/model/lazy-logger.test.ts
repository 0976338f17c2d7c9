import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import test from 'node:test'
import type { FastifyBaseLogger } from 'fastify'
import { LazyLogger } from '../../../lib/model/lazy-logger.ts'

const require = createRequire(import.meta.url)
const pino = createRequire(require.resolve('fastify'))('pino') as (options: object, stream: { write (line: string): void }) => FastifyBaseLogger

interface Line { readonly [field: string]: unknown }

function logger (options: object = {}): { lines: Line[], lazy: LazyLogger, children: () => number } {
  const lines: Line[] = []
  let children = 0
  const parent = pino({ onChild: () => { children++ }, ...options }, { write: (line) => lines.push(JSON.parse(line) as Line) })
  return { lines, lazy: new LazyLogger(parent, { reqId: 'r1' }), children: () => children }
}

test('makes no logger for those who only ask whether it is one', () => {
  const { lazy, children } = logger()
  for (const name of ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent', 'child'] as const) assert.equal(typeof lazy[name], 'function')
  assert.equal(lazy.level, 'info')
  assert.deepEqual([lazy.isUnused, children()], [true, 0])
})

for (const [name, level] of [['fatal', 60], ['error', 50], ['warn', 40], ['info', 30], ['debug', 20], ['trace', 10]] as const) {
  test(`writes ${name} with its bindings, and makes one logger for all its lines`, () => {
    const { lazy, lines, children } = logger({ level: 'trace', base: null, timestamp: false })
    lazy[name]({ field: 1 }, 'say %s', 'it')
    lazy[name]('again')
    assert.deepEqual(lines, [{ level, reqId: 'r1', field: 1, msg: 'say it' }, { level, reqId: 'r1', msg: 'again' }])
    assert.deepEqual([lazy.isUnused, children()], [false, 1])
  })
}

test('carries more, until it is made', () => {
  const { lazy, lines } = logger({ base: null, timestamp: false })
  assert.equal(lazy.add({ trace_id: 'a' }), true)
  lazy.info('line')
  assert.equal(lazy.add({ trace_id: 'b' }), false)
  lazy.info('next')
  assert.deepEqual(lines, ['line', 'next'].map((msg) => ({ level: 30, reqId: 'r1', trace_id: 'a', msg })))
})

test('is silent where it is told to be', () => {
  const { lazy, lines } = logger()
  lazy.silent('nothing')
  assert.deepEqual(lines, [])
})

test('has children with its bindings and theirs', () => {
  const { lazy, lines } = logger({ base: null, timestamp: false })
  lazy.child({ own: 1 }).info('line')
  assert.deepEqual(lines, [{ level: 30, reqId: 'r1', own: 1, msg: 'line' }])
})

test('takes a level of its own, and keeps its parent\'s', () => {
  const { lazy, lines } = logger()
  lazy.level = 'error'
  lazy.info('no')
  assert.deepEqual([lazy.level, lazy.parent.level, lines.length], ['error', 'info', 0])
})

test('has whatever else the made logger has', () => {
  const { lazy } = logger({ customLevels: { audit: 35 } })
  const full = lazy as unknown as { audit: (text: string) => void, bindings: () => object, levels: { values: Record<string, number> } }
  assert.equal(typeof full.audit, 'function')
  assert.deepEqual(full.bindings(), { reqId: 'r1' })
  assert.equal(full.levels.values['audit'], 35)
  assert.equal('toString' in lazy, true)
})
