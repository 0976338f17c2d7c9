import assert from 'node:assert/strict'
import { test } from 'node:test'
import { peakEwma } from '../../../../lib/data-plane/balancer/peak-ewma.ts'
import { proxyError } from '../../../../lib/errors.ts'
import type { Attempt, Endpoint } from '../../../../types/model.ts'
import type { Balancer, Observer } from '../../../../types/policy.ts'
import { clock } from '../../../helpers/clock.ts'
import { attemptOf, endpointAt, exchangeWith, seeded } from '../../samples.ts'

const exchange = exchangeWith()

function setUp (weights: number[] = [1, 1]): { time: ReturnType<typeof clock>, list: Endpoint[], pick: () => string, share: (of: string) => number, answer: (endpoint: Endpoint, took: number, fields?: Partial<Attempt>) => void } {
  const time = clock(1000)
  const balance = peakEwma.create({}, { now: time.now, random: seeded(5) }) as Balancer & Observer
  const list = weights.map((weight, index) => endpointAt(`http://${'abc'[index]}`, { weight }))
  const pick = (): string => balance.pick(list, exchange).host
  return {
    time,
    list,
    pick,
    share: (of) => Array.from({ length: 1000 }, pick).filter((host) => host === of).length / 1000,
    answer (endpoint, took, fields = {}) {
      const now = time.now()
      balance.onAttempt!(attemptOf(exchange, { endpoint, startedAt: now - took, headAt: now, endedAt: now, statusCode: 200, ...fields }))
    }
  }
}

test('the endpoint that answers sooner is taken', () => {
  const { list, answer, share } = setUp()
  answer(list[0]!, 50)
  answer(list[1]!, 10)
  assert.equal(share('b'), 1)
})

test('until it has so much under way that the slower one is likely to be sooner', () => {
  const { list, answer, share } = setUp()
  answer(list[0]!, 50)
  answer(list[1]!, 10)
  list[1]!.active = 4
  assert.equal(share('a') > 0.3, true, 'a tie goes to the one that was drawn first')
  list[1]!.active = 5
  assert.equal(share('a'), 1)
})

test('a peak counts at once, and fades', () => {
  const { list, answer, share, time } = setUp()
  for (const endpoint of list) answer(endpoint, 30)
  answer(list[0]!, 1000)
  assert.equal(share('a'), 0)
  time.advance(5000)
  answer(list[1]!, 30)
  assert.equal(share('a'), 0, 'one quick answer of the other does not make it forgotten')
  time.advance(60_000)
  answer(list[1]!, 30)
  assert.equal(share('a'), 1, 'nobody asked it for a minute')
})

test('quick answers bring a slow endpoint back as time passes', () => {
  const { list, answer, share, time } = setUp()
  answer(list[0]!, 100)
  for (let second = 0; second < 60; second++) {
    time.advance(1000)
    answer(list[0]!, 1)
    answer(list[1]!, 30)
  }
  assert.equal(share('a'), 1)
})

test('an endpoint that nobody knows yet is tried once, and not flooded', () => {
  const { list, answer, share } = setUp()
  answer(list[0]!, 10)
  assert.equal(share('b'), 1)
  list[1]!.active = 1
  assert.equal(share('b'), 0)
})

test('the time that a connection takes to be made does not make an endpoint slow', () => {
  const { list, answer, share } = setUp([9, 10])
  for (const endpoint of list) answer(endpoint, endpoint === list[0] ? 60 : 5, { connectTime: 3 })
  assert.ok(Math.abs(share('a') - 9 / 19) < 0.03, 'neither is known')
  answer(list[1]!, 5)
  assert.equal(share('a'), 1, 'it is tried once more')
  answer(list[0]!, 5)
  answer(list[0]!, 60, { connectTime: 3 })
  assert.ok(Math.abs(share('a') - 9 / 19) < 0.03)
})

test('an endpoint that keeps no connection is as slow as its answers', () => {
  const { list, answer, share } = setUp()
  for (let n = 0; n < 2; n++) {
    answer(list[0]!, 100, { connectTime: 50 })
    answer(list[1]!, 10, { connectTime: 1 })
  }
  assert.equal(share('b'), 1)
})

test('an endpoint that fails at once does not look quick', () => {
  const { list, answer, share } = setUp()
  answer(list[0]!, 100)
  answer(list[1]!, 1, { error: proxyError('connection_refused', 'connect'), headAt: 0 })
  assert.equal(share('a'), 1)
})

for (const [what, fields] of [
  ['500', { statusCode: 500 }], ['502', { statusCode: 502 }], ['503', { statusCode: 503 }], ['429', { statusCode: 429 }],
  ['a reset', { error: proxyError('connection_terminated', 'responseHeaders'), headAt: 0, statusCode: 0 }],
  ['a refused connection', { error: proxyError('connection_refused', 'connect'), headAt: 0, statusCode: 0 }]
] as [string, Partial<Attempt>][]) {
  for (const [when, before] of [['from the first request on', 0], ['after a thousand good answers', 1000]] as const) {
    test(`an endpoint that fails at once, by ${what}, ${when}, is out after a handful of requests`, () => {
      const { list, answer, pick, time } = setUp()
      let failed = 0
      for (let count = 0; count < before; count++) {
        time.advance(20)
        for (const endpoint of list) answer(endpoint, 20)
      }
      // Ten at a time, nine of which are always at the one that takes its time: it has the fewest under way whatever happens.
      list[1]!.active = 9
      for (let count = 0; count < 500; count++) {
        time.advance(2)
        const host = pick()
        if (host === 'a') failed++
        if (host === 'a') answer(list[0]!, 1, fields)
        else answer(list[1]!, 20)
      }
      assert.ok(failed <= 12, `${failed} of 500`)
    })
  }
}

test('an endpoint that has failed is tried again when that has faded', () => {
  const { list, answer, share, time } = setUp()
  answer(list[0]!, 1, { statusCode: 500 })
  answer(list[1]!, 20)
  assert.equal(share('a'), 0)
  time.advance(45_000)
  answer(list[1]!, 20)
  assert.ok(share('a') > 0)
})

test('a page that fails wherever it is asked for leaves the quick endpoint the quick one', () => {
  const { list, answer, pick, time } = setUp()
  const random = seeded(11)
  let quick = 0
  for (let count = 0; count < 5000; count++) {
    time.advance(10)
    const isFaulty = random() < 0.01
    const host = pick()
    if (host === 'a') quick++
    answer(list[host === 'a' ? 0 : 1]!, isFaulty ? 1 : host === 'a' ? 10 : 50, { statusCode: isFaulty ? 500 : 200 })
  }
  assert.ok(quick > 4500, `${quick} of 5000`)
})

test('a failure that was long in coming counts for as long as it took', () => {
  const { list, answer, share, time } = setUp()
  for (const endpoint of list) answer(endpoint, 20)
  answer(list[0]!, 30_000, { statusCode: 504 })
  time.advance(25_000)
  answer(list[1]!, 20)
  assert.equal(share('a'), 0)
})

test('an answer of 404 is as quick as it is', () => {
  const { list, answer, share } = setUp()
  answer(list[0]!, 5, { statusCode: 404 })
  answer(list[1]!, 50)
  assert.equal(share('a'), 1)
})

test('what the client ended says nothing', () => {
  const { list, answer, share } = setUp()
  answer(list[0]!, 10)
  answer(list[1]!, 20)
  answer(list[0]!, 5000, { error: proxyError('client_closed_request', 'responseHeaders'), headAt: 0 })
  assert.equal(share('a'), 1)
})

test('equally quick endpoints share by weight', () => {
  const { list, answer, pick } = setUp([1, 3])
  for (const endpoint of list) answer(endpoint, 10)
  for (let count = 0; count < 40; count++) {
    const host = pick()
    list.find((endpoint) => endpoint.host === host)!.active++
  }
  assert.ok(Math.abs(list[1]!.active - 30) <= 2, String(list[1]!.active))
})

test('idle endpoints whose latencies differ by no more than noise share by weight', () => {
  for (const [ofA, ofB] of [[10, 10], [1, 9], [12, 3], [200, 290]] as const) {
    const { list, answer, share } = setUp([1, 3])
    answer(list[0]!, ofA)
    answer(list[1]!, ofB)
    assert.ok(Math.abs(share('a') - 0.25) <= 0.03, `${ofA} and ${ofB} ms`)
  }
})

test('a slower endpoint of much weight is asked by what it has under way for its weight', () => {
  const { list, answer, share } = setUp([1, 3])
  answer(list[0]!, 20)
  answer(list[1]!, 40)
  assert.equal(share('a'), 1)
  list[0]!.active = 2
  assert.equal(share('b'), 1)
  list[1]!.active = 6
  assert.equal(share('a'), 1)
})

test('the only endpoint is taken without a throw of the dice', () => {
  const balance = peakEwma.create({}, { now: () => 0, random: () => assert.fail('nothing to draw') })
  const list = [endpointAt('http://a')]
  assert.equal(balance.pick(list, exchange), list[0])
})
