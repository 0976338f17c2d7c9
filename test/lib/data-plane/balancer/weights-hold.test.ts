import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createBalancer } from '../../../../lib/data-plane/balancer/index.ts'
import { availabilityOf } from '../../../../lib/control-plane/availability.ts'
import { SlowStart } from '../../../../lib/control-plane/slow-start.ts'
import type { ProxyExchange } from '../../../../lib/model/exchange.ts'
import type { Endpoint } from '../../../../types/model.ts'
import type { Balancer, Observer } from '../../../../types/policy.ts'
import { clock, type Clock } from '../../../helpers/clock.ts'
import { attemptOf, endpointAt, exchangeOver, seeded } from '../../samples.ts'

/*
 * Shares that each balancer makes of weights, in virtual time: so many requests at a time, of endpoints that are equally quick.
 */

interface World {
  readonly time: Clock
  readonly list: readonly Endpoint[]
  readonly exchange: ProxyExchange
  readonly counts: number[]
  /** Sends one request, whose answer comes after so many ms. */
  send (milliseconds: number): void
}

function world (name: string, weights: readonly number[]): World {
  const time = clock(1000)
  const balance = createBalancer(name, { now: time.now, random: seeded(21) }) as Balancer & Observer
  const list = weights.map((weight, index) => endpointAt(`http://10.0.0.${index}`, { weight }))
  const exchange = exchangeOver(list)
  const counts = weights.map(() => 0)
  return {
    time,
    list,
    exchange,
    counts,
    send (milliseconds) {
      const endpoint = balance.pick(exchange.upstream.state.available, exchange)
      const startedAt = time.now()
      counts[list.indexOf(endpoint)]!++
      endpoint.active++
      time.setTimer(() => {
        endpoint.active--
        balance.onAttempt?.(attemptOf(exchange, { endpoint, startedAt, headAt: time.now(), endedAt: time.now(), statusCode: 200 }))
      }, milliseconds)
    }
  }
}

const names = ['power-of-two', 'round-robin', 'random', 'least-requests', 'peak-ewma']

for (const name of names) {
  for (const weights of [[9, 10], [1, 3], [5, 3, 2], [0.1, 1, 1], [1, 1, 1]]) {
    for (const concurrency of [1, 2, 4, 30]) {
      test(`${name} gives weights of ${weights.join(':')} their shares, ${concurrency} at a time`, () => {
        const { time, list, counts, send } = world(name, weights)
        const random = seeded(concurrency)
        let left = 20_000
        while (left > 0) {
          while (left > 0 && list.reduce((sum, { active }) => sum + active, 0) < concurrency) {
            left--
            send(10 + 10 * random())
          }
          time.advance(1)
        }
        const total = weights.reduce((sum, weight) => sum + weight, 0)
        // Those that draw are off by chance, by half a point at most; and power-of-two looks at two only.
        const points = name === 'least-requests' || name === 'round-robin' ? 0.3 : 2.5
        for (const [index, weight] of weights.entries()) {
          const share = counts[index]! / 200
          assert.ok(Math.abs(share - weight / total * 100) <= points, `${counts.map((count) => count / 200).join(', ')} %`)
        }
      })
    }
  }

  // Exact but for the credit of a step, which is of the weights before it.
  const isExact = name === 'least-requests' || name === 'round-robin'
  test(`${name} gives an endpoint that starts slowly its growing share, at one request per step`, () => {
    // Many starts, one after another, since each is but twenty requests.
    const { time, list, exchange, counts, send } = world(name, [1, 1, 1])
    const slowStart = new SlowStart(10_000, { now: time.now, random: () => 0, setTimer: time.setTimer }, () => {
      exchange.upstream.state = { ...exchange.upstream.state, ...availabilityOf(list) }
    })
    let expected = 0
    const starts = 200
    for (let start = 0; start < starts; start++) {
      slowStart.begin(list[0]!)
      exchange.upstream.state = { ...exchange.upstream.state, ...availabilityOf(list) }
      for (let step = 0; step < 20; step++) {
        expected += list[0]!.weight / (list[0]!.weight + 2)
        send(20)
        time.advance(500)
      }
    }
    slowStart.close()
    const share = counts[0]! / starts
    assert.ok(Math.abs(share - expected / starts) <= (isExact ? 0.1 : 0.5), `${share} requests of 20, not ${expected / starts}`)
    assert.ok(Math.abs(counts[1]! - counts[2]!) <= starts * 20 * (isExact ? 0.002 : 0.03), counts.join(', '))
  })
}
