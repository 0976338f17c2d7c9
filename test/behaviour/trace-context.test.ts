import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import { connect, values } from '../helpers/client.ts'
import { answer, closeBeforeHead, origin } from '../helpers/origin.ts'
import { start, type Started } from '../helpers/proxy.ts'
import type { RouteBehaviour } from '../../types/index.ts'

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
const parentId = '00f067aa0ba902b7'
const traceparent = `00-${traceId}-${parentId}-01`
const pattern = /^00-([0-9a-f]{32})-([0-9a-f]{16})-(0[0-3])$/

interface Fields { traceparent: string[], tracestate: string[], baggage: string[] }

interface Tracing {
  app: Started
  /** The fields that arrive upstream for a client that sends these lines. */
  send (...lines: string[]): Promise<Fields>
}

async function tracing (t: TestContext, behaviour: RouteBehaviour = {}): Promise<Tracing> {
  const upstream = await origin(t, answer(200))
  const app = await start(t, { upstream: upstream.url, ...behaviour })
  const client = await connect(t, app.port)
  return {
    app,
    async send (...lines) {
      client.write(`GET /x HTTP/1.1\r\nHost: x\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`)
      assert.equal((await client.response()).status, 200)
      const { rawHeaders } = upstream.requests.at(-1)!
      return { traceparent: values(rawHeaders, 'traceparent'), tracestate: values(rawHeaders, 'tracestate'), baggage: values(rawHeaders, 'baggage') }
    }
  }
}

/** The parts of the one traceparent there is. */
function parse ({ traceparent }: Fields): { traceId: string, spanId: string, flags: string } {
  assert.equal(traceparent.length, 1)
  const parts = pattern.exec(traceparent[0]!)
  assert.ok(parts, traceparent[0])
  const [, traceId = '', spanId = '', flags = ''] = parts
  assert.ok(!/^0+$/.test(traceId) && !/^0+$/.test(spanId))
  return { traceId, spanId, flags }
}

test('begins a trace where the client sends none, another for each request', async (t) => {
  const { send } = await tracing(t)

  const [first, second] = [parse(await send()), parse(await send())]

  assert.notEqual(first.traceId, second.traceId)
  assert.deepEqual([first.flags, second.flags], ['01', '01'])
})

// What the client sends, and the flags that arrive with its trace id.
const followed: readonly (readonly [line: string, flags: string])[] = [
  [traceparent, '01'],
  [`00-${traceId}-${parentId}-00`, '00'],
  [`00-${traceId}-${parentId}-03`, '03'],
  [`00-${traceId}-${parentId}-ff`, '03'],
  [`00-${traceId}-${parentId}-08`, '00'],
  [`01-${traceId}-${parentId}-01`, '01'],
  [`cc-${traceId}-${parentId}-01-what-the-future-will-be-like`, '01']
]

for (const [line, flags] of followed) {
  test(`takes part in the trace of ${line}: its trace id, a new parent id`, async (t) => {
    const { send } = await tracing(t)

    const sent = parse(await send(`traceparent: ${line}`))

    assert.deepEqual([sent.traceId, sent.flags], [traceId, flags])
    assert.notEqual(sent.spanId, parentId)
  })
}

const invalid: readonly string[] = [
  '', '00', `00-${traceId}-${parentId}`, `00-${traceId}-${parentId}-0`, `00-${traceId}-${parentId}-01-x`, `00-${traceId}-${parentId}-01x`,
  `00-${traceId.toUpperCase()}-${parentId}-01`, `00-${'0'.repeat(32)}-${parentId}-01`, `00-${traceId}-${'0'.repeat(16)}-01`,
  `ff-${traceId}-${parentId}-01`, `0-${traceId}-${parentId}-01`, `cc-${traceId}-${parentId}-01.what`, `00-${traceId}-${parentId}-0g`,
  `00-${traceId.slice(1)}-${parentId}-01`, `00_${traceId}_${parentId}_01`, `${traceparent},${traceparent}`
]

test('begins a new trace where the client\'s is invalid, without its state', async (t) => {
  const { send } = await tracing(t)

  for (const line of [...invalid.map((value) => [`traceparent: ${value}`]), [`traceparent: ${traceparent}`, `Traceparent: ${traceparent}`]]) {
    const sent = await send(...line, 'tracestate: a=1')
    assert.notEqual(parse(sent).traceId, traceId, String(line))
    assert.equal(parse(sent).flags, '01')
    assert.deepEqual(sent.tracestate, [], String(line))
  }
})

const members = (count: number): string => Array.from({ length: count }, (_, index) => `k${index}=${index}`).join(',')
const states: readonly (readonly [sent: readonly string[], seen: readonly string[]])[] = [
  [['a=1,b=2'], ['a=1,b=2']],
  [['a=1', 'b=2'], ['a=1, b=2']],
  [['tenant@vendor=x y/z:;', 'b_-*/=~'], ['tenant@vendor=x y/z:;, b_-*/=~']],
  [['a=1,, ,b=2'], ['a=1,, ,b=2']],
  [[members(32)], [members(32)]],
  [[members(33)], []],
  [['A=1'], []],
  [['a=1,b'], []],
  [['a=\xe9'], []],
  [['a=1=2'], []],
  [[''], []]
]

test('passes tracestate on as it is while it is valid', async (t) => {
  const { send } = await tracing(t)

  for (const [sent, seen] of states) {
    const { tracestate } = await send(`traceparent: ${traceparent}`, ...sent.map((value) => `tracestate: ${value}`))
    assert.deepEqual(tracestate, seen, String(sent))
  }
  assert.deepEqual((await send('tracestate: a=1')).tracestate, [], 'without a traceparent')
})

test('passes baggage on, up to its bounds and in whole members', async (t) => {
  const { send } = await tracing(t)
  const long = Array.from({ length: 10 }, (_, index) => `k${index}=${'v'.repeat(1000)}`)

  assert.deepEqual((await send('baggage: a=1;meta, b=%20')).baggage, ['a=1;meta, b=%20'])
  assert.deepEqual((await send('baggage: a=1', 'baggage: b=2')).baggage, ['a=1, b=2'])
  assert.deepEqual((await send(`baggage: ${members(64)}`)).baggage, [members(64)])
  assert.deepEqual((await send(`baggage: ${members(70)}`)).baggage, [members(64)])
  assert.deepEqual((await send(`baggage: ${long.join(',')}`)).baggage, [long.slice(0, 8).join(',')])
})

test('passthrough forwards what is valid byte for byte, and nothing in the place of what is not', async (t) => {
  const { app, send } = await tracing(t, { trace: 'passthrough' })

  for (const line of [traceparent, `cc-${traceId}-${parentId}-01-more`, `00-${traceId}-${parentId}-ff`]) {
    assert.deepEqual(await send(`traceparent: ${line}`, 'tracestate: a=1,', 'baggage: b=2'), { traceparent: [line], tracestate: ['a=1,'], baggage: ['b=2'] })
    const log = await app.line()
    assert.deepEqual([log['trace_id'], log['span_id']], [traceId, parentId])
  }
  assert.deepEqual(await send(`traceparent: 00-${traceId}`, 'tracestate: a=1'), { traceparent: [], tracestate: [], baggage: [] })
  assert.deepEqual(await send(), { traceparent: [], tracestate: [], baggage: [] })
  await app.line()
  assert.ok(!('trace_id' in await app.line()))
})

for (const [what, behaviour] of [['restart', { trace: 'restart' }], ['a caller who is not trusted', { trust: () => false }], ['one who is not trusted, in passthrough', { trace: 'passthrough', trust: () => false }]] as const) {
  test(`${what}: a new trace, without the state and the baggage of the old one`, async (t) => {
    const { app, send } = await tracing(t, behaviour)

    const sent = await send(`traceparent: ${traceparent}`, 'tracestate: a=1', 'baggage: b=2')

    const { traceId: newId, spanId } = parse(sent)
    assert.notEqual(newId, traceId)
    assert.deepEqual([sent.tracestate, sent.baggage], [[], []])
    const log = await app.line()
    assert.deepEqual([log['trace_id'], log['span_id']], [newId, spanId])
  })
}

test('trust decides for each request', async (t) => {
  const { send } = await tracing(t, { trust: (request) => request.headers['x-known'] === '1' })

  assert.equal(parse(await send(`traceparent: ${traceparent}`, 'x-known: 1')).traceId, traceId)
  assert.notEqual(parse(await send(`traceparent: ${traceparent}`)).traceId, traceId)
})

test('without tracing the fields are none of the proxy\'s, and in no log line', async (t) => {
  const { app, send } = await tracing(t, { trace: false })

  assert.deepEqual(await send('traceparent: whatever', 'tracestate: A', 'baggage: b=2'), { traceparent: ['whatever'], tracestate: ['A'], baggage: ['b=2'] })
  assert.deepEqual(await send(), { traceparent: [], tracestate: [], baggage: [] })
  assert.ok(!('trace_id' in await app.line()))
})

test('a second attempt is another parent in the same trace', async (t) => {
  const upstream = await origin(t, answer(200), closeBeforeHead(), answer(200))
  const app = await start(t, { upstream: upstream.url })
  await app.get('/warm')

  assert.equal((await app.get('/x', { traceparent })).status, 200)

  const [, first, second] = upstream.requests.map(({ headers }) => parse({ traceparent: [String(headers['traceparent'])], tracestate: [], baggage: [] }))
  assert.deepEqual([first!.traceId, second!.traceId], [traceId, traceId])
  assert.notEqual(first!.spanId, second!.spanId)
})
