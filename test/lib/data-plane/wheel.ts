import assert from 'node:assert/strict'
import { Deadlines } from '../../../lib/data-plane/timeouts.ts'
import type { ProxyExchange } from '../../../lib/model/exchange.ts'

export const TICK = 10

export interface Wheel {
  readonly deadlines: Deadlines
  /** Who expired, and when. */
  readonly expired: { exchange: ProxyExchange, at: number }[]
  /** Whether the timer runs. */
  readonly isTurning: boolean
  /** Whether it keeps the process. */
  readonly isHolding: boolean
  readonly now: number
  /** Time goes by with a tick every 10 ms. */
  pass (milliseconds: number): void
  /** Time goes by while the event loop is held up: one tick, at the end. */
  holdUp (milliseconds: number): void
}

export function wheel (start = 1003, onExpire: (exchange: ProxyExchange) => void = () => {}): Wheel {
  let now = start
  let turn: (() => void) | null = null
  let isHolding = false
  const expired: Wheel['expired'] = []
  const deadlines = new Deadlines((exchange, at) => {
    assert.equal(at, now)
    expired.push({ exchange, at })
    onExpire(exchange)
  }, {
    now: () => now,
    every (milliseconds, fn) {
      assert.equal(milliseconds, TICK)
      assert.equal(turn, null, 'one timer at most')
      turn = fn
      return { stop: () => { turn = null }, hold: (held) => { isHolding = held } }
    }
  })
  return {
    deadlines,
    expired,
    get isTurning () { return turn !== null },
    get isHolding () { return turn !== null && isHolding },
    get now () { return now },
    pass (milliseconds) {
      for (const end = now + milliseconds; now < end;) {
        now = Math.min(now + TICK, end)
        turn?.()
      }
    },
    holdUp (milliseconds) {
      now += milliseconds
      turn?.()
    }
  }
}
