import assert from 'node:assert/strict'
import { test } from 'node:test'
import { normalize, normalizeBehaviour } from '../../../lib/config/normalize.ts'
import type { Problem } from '../../../types/control.ts'
import { ca as authority } from '../../helpers/tls.ts'

/** Options of every kind, in their own objects down to the last. */
function everything (): Record<string, unknown> {
  return {
    prefix: '/api/',
    adHoc: { origins: ['http://10.0.0.4'] },
    logLevel: 'warn',
    upstreams: {
      one: 'http://10.0.0.1',
      two: ['http://10.0.0.1', 'http://10.0.0.2'],
      full: { endpoints: ['http://10.0.0.1', { origin: 'https://10.0.0.2' }], pool: { tls: { ca: [Buffer.from(authority)] } } }
    },
    defaults: { timeouts: { head: 1000 }, headers: { request: { set: { 'X-A': 'a' }, remove: ['x-b'] } }, canaries: [{ upstream: 'two' }] },
    routes: [
      { url: '/a', method: ['get'], upstream: 'one', config: { tags: [] }, timeouts: {}, headers: { request: { set: { 'x-c': 'c' } }, response: {} } },
      { url: '/b', upstream: 'two', canary: { upstream: 'one', values: /beta/g, sticky: { header: 'x-user' } }, constraints: {} }
    ],
    upstream: { endpoints: [{ origin: 'http://10.0.0.3' }] },
    timeouts: { total: 0 }
  }
}

function isPlain (value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && (Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype)
}

/** Every plain object and array within, those that are Fastify's excepted. */
function * partsOf (value: unknown, path = 'config'): Generator<readonly [path: string, part: object]> {
  if (!isPlain(value)) return
  yield [path, value]
  for (const [key, item] of Object.entries(value)) {
    if (key !== 'fastify') yield * partsOf(item, `${path}.${key}`)
  }
}

function freezeAll (value: unknown): void {
  for (const [, part] of partsOf(value)) Object.freeze(part)
}

test('never writes to the objects of the user', () => {
  const options = everything()
  freezeAll(options) // whoever writes to it throws
  const problems: Problem[] = []
  const config = normalize(options, problems)
  assert.deepEqual(problems, [])
  assert.deepEqual(options, everything())
  assert.equal(config.routes.length, 3)
})

test('never writes to them while it finds problems either', () => {
  const options = { defaults: { timeouts: { haed: 1 } }, routes: [{ url: '/', upstream: 'a', canary: { wieght: 1 } }, { timeouts: {} }], upstreams: { a: { endpoints: [{}] } } }
  const before = structuredClone(options)
  freezeAll(options)
  const problems: Problem[] = []
  normalize(options, problems)
  assert.ok(problems.length >= 4)
  assert.deepEqual(options, before)
})

test('freezes the whole result, and what belongs to Fastify or the user not', () => {
  const options = everything()
  const config = normalize(options, [])
  const parts = [...partsOf(config)]
  assert.ok(parts.length > 30, `${parts.length} parts`)
  for (const [path, part] of parts) assert.ok(Object.isFrozen(part), path)
  for (const [path, part] of partsOf(options, 'options')) assert.equal(Object.isFrozen(part), false, path)
})

test('shares no object with what the user may change later', () => {
  const options = everything()
  const config = normalize(options, [])
  const theirs = new Set([...partsOf(options)].map(([, part]) => part))
  for (const [path, part] of partsOf(config)) assert.equal(theirs.has(part), false, path)
})

test('leaves functions, buffers and patterns what and whose they are', () => {
  const rewrite = (): string => '/'
  const ca = Buffer.from(authority)
  const values = /beta/
  const { upstreams: [upstream], routes: [route] } = normalize({
    upstreams: { a: { endpoints: ['https://a'], pool: { tls: { ca } } } },
    routes: [{ url: '/', upstream: 'a', rewrite, canary: { upstream: 'a', values } }]
  }, [])
  assert.equal(upstream!.pool.tls!.ca, ca)
  assert.equal(route!.behaviour.rewrite, rewrite)
  assert.equal(route!.behaviour.canaries[0]!.values, values)
  assert.equal(Object.isFrozen(rewrite) || Object.isFrozen(values), false)
})

test('takes options without a prototype, such as those of an imported module', () => {
  const options = Object.assign(Object.create(null) as Record<string, unknown>, { upstream: 'http://10.0.0.1' })
  const problems: Problem[] = []
  assert.equal(normalize(options, problems).routes.length, 1)
  assert.deepEqual(problems, [])
})

test('completes the behaviour of a reply as that of a route', () => {
  const problems: Problem[] = []
  const timeouts = { head: 30_000, idle: 1, total: 20, attempt: 0, write: 1 }
  const behaviour = normalizeBehaviour({ via: 'edge', canary: { upstream: 'a' }, timeouts, retry: false }, { timeouts: { total: 20 } }, '', problems)
  assert.deepEqual(behaviour, { via: 'edge', canaries: [{ upstream: 'a' }], headers: {}, timeouts: { ...timeouts, head: 20 }, retry: false, written: { timeouts: { total: 20 } } })
  assert.deepEqual(problems, [])
})
