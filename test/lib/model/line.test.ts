import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Line } from '../../../lib/model/line.ts'
import { UpstreamLoad } from '../../../lib/model/load.ts'
import type { ProxyExchange } from '../../../lib/model/exchange.ts'
import { exchangeWith } from '../samples.ts'

function lineOf (count: number): { line: Line, load: UpstreamLoad, exchanges: ProxyExchange[] } {
  const load = new UpstreamLoad()
  const line = new Line(load)
  const exchanges = Array.from({ length: count }, () => exchangeWith())
  for (const exchange of exchanges) line.enter(exchange, 100)
  return { line, load, exchanges }
}

/** Who is in it, as numbers, from the first to the last. */
function order (line: Line, exchanges: ProxyExchange[]): number[] {
  const found: number[] = []
  for (let place = line.first; place !== null; place = place.behind) found.push(exchanges.indexOf(place.exchange))
  return found
}

test('keeps those who wait in the order in which they came', () => {
  const { line, load, exchanges } = lineOf(4)
  assert.deepEqual(order(line, exchanges), [0, 1, 2, 3])
  assert.equal(load.pending, 4)
})

for (const [who, rest] of [[0, [1, 2]], [1, [0, 2]], [2, [0, 1]]] as const) {
  test(`closes up behind number ${who} of three, who leaves`, () => {
    const { line, load, exchanges } = lineOf(3)
    line.leave(exchanges[who]!.place!, 130)
    assert.deepEqual(order(line, exchanges), rest)
    assert.deepEqual([load.pending, exchanges[who]!.place, exchanges[who]!.queueTime], [2, null, 30])
    const late = exchangeWith()
    line.enter(late, 140)
    assert.equal(order(line, [...exchanges, late]).at(-1), 3)
  })
}

test('is empty when everyone has left, and may be entered again', () => {
  const { line, load, exchanges } = lineOf(2)
  for (const exchange of exchanges) line.leave(exchange.place!, 150)
  assert.deepEqual([line.first, load.pending], [null, 0])
  line.enter(exchanges[0]!, 200)
  line.leave(exchanges[0]!.place!, 210)
  assert.equal(exchanges[0]!.queueTime, 60)
})
