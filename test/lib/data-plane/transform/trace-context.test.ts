import assert from 'node:assert/strict'
import crypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'
import { test } from 'node:test'
import { isTraceparent, randomHex, readTrace, writeTrace } from '../../../../lib/data-plane/transform/trace-context.ts'
import { exchangeWith } from '../../samples.ts'

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
const spanId = '00f067aa0ba902b7'
const traceparent = `00-${traceId}-${spanId}-01`

type Mode = 'participate' | 'passthrough' | 'restart'
type Headers = Record<string, string | string[]>

/** What an attempt sends of these headers. */
function sent (headers: Record<string, string>, { mode = 'participate', isRestarted = mode === 'restart', attempt = 1 }: { mode?: Mode, isRestarted?: boolean, attempt?: number } = {}): Headers {
  const exchange = exchangeWith({ headers, route: { trace: mode } })
  exchange.isTraceRestarted = isRestarted
  exchange.trace = readTrace(headers, mode, isRestarted)
  const outgoing: Headers = { ...headers }
  writeTrace(exchange, outgoing, attempt)
  return outgoing
}

const traceparents: readonly (readonly [what: string, value: string, isValid: boolean])[] = [
  ['version 00', traceparent, true],
  ['flags that are not known', `00-${traceId}-${spanId}-ff`, true],
  ['a version to come', `cc-${traceId}-${spanId}-01`, true],
  ['a version to come, with more', `cc-${traceId}-${spanId}-01-what`, true],
  ['a version to come, with a dash more', `cc-${traceId}-${spanId}-01-`, true],
  ['a version to come, with more but no dash', `cc-${traceId}-${spanId}-01.what`, false],
  ['version 00, with more', `${traceparent}-what`, false],
  ['version ff', `ff-${traceId}-${spanId}-01`, false],
  ['nothing', '', false],
  ['a digit missing', traceparent.slice(0, -1), false],
  ['a digit too many', `${traceparent}0`, false],
  ['capitals in the trace id', `00-${traceId.toUpperCase()}-${spanId}-01`, false],
  ['capitals in the parent id', `00-${traceId}-${spanId.toUpperCase()}-01`, false],
  ['capitals in the flags', `00-${traceId}-${spanId}-0A`, false],
  ['a version that is no hex', `0g-${traceId}-${spanId}-01`, false],
  ['flags that are no hex', `00-${traceId}-${spanId}-0g`, false],
  ['a trace id of zeros', `00-${'0'.repeat(32)}-${spanId}-01`, false],
  ['a parent id of zeros', `00-${traceId}-${'0'.repeat(16)}-01`, false],
  ['underscores for dashes', traceparent.replaceAll('-', '_'), false],
  ...[2, 35, 52].map((index) => [`no dash at ${index}`, `${traceparent.slice(0, index)}0${traceparent.slice(index + 1)}`, false] as const),
  ...[0, 1, 3, 34, 36, 51, 53, 54].map((index) => [`no hex at ${index}`, `${traceparent.slice(0, index)}g${traceparent.slice(index + 1)}`, false] as const),
  ['two, joined', `${traceparent}, ${traceparent}`, false],
  ['a space in front', ` ${traceparent}`, false]
]

for (const [what, value, isValid] of traceparents) {
  test(`${isValid ? 'follows' : 'begins a new trace instead of following'} a traceparent of ${what}`, () => {
    assert.equal(isTraceparent(value), isValid)
    const trace = readTrace({ traceparent: value, tracestate: 'a=1' }, 'participate', false)!
    assert.equal(trace.traceId === traceId, isValid)
    assert.equal(trace.state, isValid ? 'a=1' : null)
    assert.notEqual(trace.spanId, spanId)
    assert.equal(readTrace({ traceparent: value }, 'passthrough', false)?.spanId, isValid ? spanId : undefined)
  })
}

for (const [received, passed] of [['00', '00'], ['01', '01'], ['02', '02'], ['03', '03'], ['04', '00'], ['0f', '03'], ['ff', '03'], ['fa', '02']]) {
  test(`passes flags ${received} on as ${passed}`, () => {
    assert.match(String(sent({ traceparent: `00-${traceId}-${spanId}-${received}` })['traceparent']), new RegExp(`^00-${traceId}-[0-9a-f]{16}-${passed}$`))
  })
}

function members (count: number): string {
  return Array.from({ length: count }, (_, index) => `k${index}=v`).join(',')
}

const states: readonly (readonly [what: string, value: string, isKept: boolean])[] = [
  ['32 members', members(32), true],
  ['33 members', members(33), false],
  ['32 members and an empty one', `${members(32)},`, true],
  ['spaces between members', 'a=1 , b=2', true],
  ['a tenant', '0tenant@system=x', true],
  ['a key of 256 characters', `${'a'.repeat(256)}=1`, true],
  ['a key of 257 characters', `${'a'.repeat(257)}=1`, false],
  ['a value of 256 characters', `a=${'1'.repeat(256)}`, true],
  ['a value of 257 characters', `a=${'1'.repeat(257)}`, false],
  ['a tenant of one letter', 't@s=1', true],
  ['a tenant of 241 characters', `${'t'.repeat(241)}@s=1`, true],
  ['a tenant of 242 characters', `${'t'.repeat(242)}@s=1`, true],
  ['a system of 15 characters', `t@${'s'.repeat(15)}=1`, true],
  ['a key of 257 characters with a tenant', `${'t'.repeat(255)}@s=1`, false],
  ['a key that begins with a digit', '1a=1', true],
  ['a key of two systems', 'a@b@c=1,a@=2', true],
  ["a key that begins with '@'", '@a=1', false],
  ["a key that begins with '_'", '_a=1', false],
  ['a key with a dot', 'a.b=1', false],
  ['a key in capitals', 'A=1', false],
  ['a member without value', 'a=1,b', false],
  ['an empty value', 'a=', false],
  ['two equals signs', 'a=b=c', false],
  ['only commas', ',,', false],
  ['nothing', '', false]
]

for (const [what, value, isKept] of states) {
  test(`${isKept ? 'passes on' : 'drops'} a tracestate of ${what}`, () => {
    assert.equal(sent({ traceparent, tracestate: value })['tracestate'], isKept ? value : undefined)
  })
}

const sized = (bytes: number): string => `k=${'v'.repeat(bytes - 2)}`
const baggages: readonly (readonly [what: string, value: string, kept: string | undefined])[] = [
  ['64 members', members(64), members(64)],
  ['65 members', members(65), members(64)],
  ['8,192 bytes', sized(8192), sized(8192)],
  ['one member of 8,193 bytes', sized(8193), undefined],
  ['a last member that is too much', `a=1,${sized(8189)}`, 'a=1'],
  ['a member too many behind those that just fit', `a=1,${sized(8188)},b=2`, `a=1,${sized(8188)}`],
  ['a last member that just fits', `a=1,${sized(8188)}`, `a=1,${sized(8188)}`]
]

for (const [what, value, kept] of baggages) {
  test(`bounds baggage of ${what} by whole members`, () => {
    assert.equal(sent({ traceparent, baggage: value })['baggage'], kept)
  })
}

test('gives every further attempt a parent id of its own', () => {
  const exchange = exchangeWith({ headers: { traceparent } })
  exchange.trace = readTrace({ traceparent }, 'participate', false)
  const parents = [1, 2, 3].map((attempt) => {
    const headers: Headers = {}
    writeTrace(exchange, headers, attempt)
    const [version, trace, parent, flags] = String(headers['traceparent']).split('-')
    assert.deepEqual([version, trace, flags], ['00', traceId, '01'])
    assert.match(parent!, /^[0-9a-f]{16}$/)
    return parent
  })
  assert.equal(parents[0], exchange.spanId)
  assert.equal(new Set([...parents, spanId]).size, 4)
})

test('sends the state of the trace that it follows, though the client nominates it in Connection', () => {
  const exchange = exchangeWith({ headers: { traceparent, tracestate: 'a=1' } })
  exchange.trace = readTrace({ traceparent, tracestate: 'a=1' }, 'participate', false)
  const headers: Headers = {}
  writeTrace(exchange, headers, 1)
  assert.equal(headers['tracestate'], 'a=1')
})

test('begins a sampled trace where there is none', () => {
  assert.match(String(sent({})['traceparent']), /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/)
})

test('passes through what is valid unchanged, in every attempt, and nothing of what is not', () => {
  const valid = { traceparent, tracestate: 'A=kept as it is', baggage: members(70) }
  for (const attempt of [1, 2]) assert.deepEqual(sent(valid, { mode: 'passthrough', attempt }), valid)
  assert.deepEqual(sent({ traceparent: 'x', tracestate: 'a=1' }, { mode: 'passthrough' }), {})
  assert.deepEqual(sent({}, { mode: 'passthrough' }), {})
})

test('keeps nothing of the trace of a client when it is restarted', () => {
  for (const mode of ['restart', 'participate', 'passthrough'] as const) {
    const headers = sent({ traceparent, tracestate: 'a=1', baggage: 'user=7' }, { mode, isRestarted: true })
    assert.deepEqual(Object.keys(headers), ['traceparent'])
    assert.ok(!String(headers['traceparent']).includes(traceId))
  }
})

test('makes ids of the length asked for, never the same twice', () => {
  const ids = Array.from({ length: 5000 }, () => randomHex(8))
  assert.ok(ids.every((id) => /^[0-9a-f]{16}$/.test(id)))
  assert.equal(new Set(ids).size, ids.length)
  assert.match(randomHex(16), /^[0-9a-f]{32}$/)
})

test('leaves the headers of a client alone where tracing is off', () => {
  const headers: Headers = { traceparent: 'x', tracestate: 'A', baggage: members(70) }
  const before = { ...headers }
  writeTrace(exchangeWith({ route: { trace: false } }), headers, 1)
  assert.deepEqual(headers, before)
})

test('makes no id of zeros, should chance ever throw them', (t) => {
  let fills = 0
  t.mock.method(crypto, 'randomFillSync', (pool: Buffer) => {
    fills++
    pool.fill(0)
    pool[pool.length - 1] = 1
    return pool
  })
  syncBuiltinESMExports()
  t.after(() => {
    t.mock.restoreAll()
    syncBuiltinESMExports()
  })
  let id = ''
  // What is left of the last pool is real.
  for (let count = 0; count < 3000 && fills === 0; count++) id = randomHex(16)
  assert.deepEqual([fills, id], [1, `${'0'.repeat(31)}1`])
  assert.deepEqual([randomHex(8), fills], [`${'0'.repeat(15)}1`, 2])
})
