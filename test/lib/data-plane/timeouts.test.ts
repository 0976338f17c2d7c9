import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Deadlines } from '../../../lib/data-plane/timeouts.ts'
import type { ProxyExchange } from '../../../lib/model/exchange.ts'
import { Bell } from '../../helpers/until.ts'
import { exchangeWith, seeded } from '../samples.ts'
import { TICK, type Wheel, wheel } from './wheel.ts'

const ROUND = 512 * TICK

/** These expired, in this order, and the last of them when it was due or up to two ticks later. */
function assertExpired (time: Wheel, exchanges: ProxyExchange[], lastDue: number): void {
  assert.deepEqual(time.expired.map(({ exchange }) => exchanges.indexOf(exchange)), exchanges.map((_, index) => index))
  const late = time.expired.at(-1)!.at - lastDue
  assert.ok(late >= 0 && late <= 2 * TICK, `${late} ms late`)
}

type Due = Partial<Pick<ProxyExchange, 'totalDue' | 'attemptDue' | 'phaseDue'>>

function due (deadlines: Deadlines, fields: Due): ProxyExchange {
  const exchange = Object.assign(exchangeWith(), fields)
  deadlines.arm(exchange)
  return exchange
}

// The last are due in the 2nd, 4th and 118th round.
for (const delay of [1, 7, 10, 11, 100, 123.4, ROUND - 11, ROUND - 1, ROUND, ROUND + 1, ROUND + 10, 2 * ROUND - 3, 20_000, 600_000]) {
  test(`expires what is due in ${delay} ms then, and at most two ticks late`, () => {
    const time = wheel()
    const exchange = due(time.deadlines, { phaseDue: time.now + delay })
    time.pass(delay + 2 * ROUND)
    assertExpired(time, [exchange], 1003 + delay)
    assert.equal(time.deadlines.size, 0)
  })
}

test('goes by the earliest of the three deadlines', () => {
  const fields = ['totalDue', 'attemptDue', 'phaseDue'] as const
  for (const first of fields) {
    const time = wheel()
    const exchange = due(time.deadlines, Object.fromEntries(fields.map((field) => [field, field === first ? 1100 : 9000])))
    time.pass(9000)
    assertExpired(time, [exchange], 1100)
  }
})

test('files nothing that has no deadline', () => {
  const time = wheel()
  due(time.deadlines, {})
  assert.deepEqual([time.deadlines.size, time.isTurning], [0, false])
})

test('follows a deadline that moves later without being told', () => {
  const time = wheel()
  const exchange = due(time.deadlines, { phaseDue: 1100 })
  // An idle deadline, moved by every chunk.
  for (let chunk = 0; chunk < 1000; chunk++) {
    time.pass(50)
    exchange.phaseDue = time.now + 60
  }
  assert.deepEqual(time.expired, [])
  const last = exchange.phaseDue
  time.pass(100)
  assertExpired(time, [exchange], last)
})

test('forgets a deadline that is taken back before it is reached', () => {
  const time = wheel()
  const exchange = due(time.deadlines, { phaseDue: 1100 })
  exchange.phaseDue = Infinity
  time.pass(2 * ROUND)
  assert.deepEqual([time.expired.length, time.deadlines.size, exchange.slot], [0, 0, -1])
})

test('goes by a deadline that is moved earlier, once told', () => {
  const time = wheel()
  const exchange = due(time.deadlines, { totalDue: 9000 })
  exchange.phaseDue = 1200
  time.deadlines.arm(exchange)
  assert.equal(time.deadlines.size, 1)
  time.pass(9000)
  assertExpired(time, [exchange], 1200)
})

test('stays filed where it is when a later deadline is set', () => {
  const time = wheel()
  const exchange = due(time.deadlines, { phaseDue: 1100 })
  exchange.totalDue = 5000
  time.deadlines.arm(exchange)
  time.deadlines.arm(exchange)
  assert.equal(time.deadlines.size, 1)
  time.pass(120)
  assert.equal(time.expired.length, 1)
})

for (const overdue of [0, 0.5, 1, 3, 200, 1000, 100_000]) {
  test(`expires at the next tick what was due ${overdue} ms before it was filed`, () => {
    const time = wheel()
    due(time.deadlines, { phaseDue: 50_000 })
    time.pass(2000)
    // A hook took longer than the whole exchange may.
    due(time.deadlines, { totalDue: time.now - overdue })
    time.pass(2 * TICK)
    assert.equal(time.expired.length, 1)
  })
}

test('never expires what was taken out, wherever it stood among those of its tick', () => {
  for (const taken of [0, 1, 2, 3]) {
    const time = wheel()
    const exchanges = Array.from({ length: 4 }, () => due(time.deadlines, { phaseDue: 1100 }))
    time.deadlines.disarm(exchanges[taken]!)
    time.deadlines.disarm(exchanges[taken]!)
    assert.equal(time.deadlines.size, 3)
    time.pass(200)
    assert.deepEqual(new Set(time.expired.map(({ exchange }) => exchange)), new Set(exchanges.filter((_, index) => index !== taken)))
  }
})

test('takes out one that was filed and never another', () => {
  const time = wheel()
  due(time.deadlines, { phaseDue: 1100 })
  time.deadlines.disarm(exchangeWith())
  assert.equal(time.deadlines.size, 1)
})

test('expires everything once that came due while the event loop was held up, and nothing else', () => {
  for (const heldUp of [35, 1000, ROUND, ROUND + 5, 3 * ROUND, 100_000]) {
    const time = wheel()
    const exchanges = [5, 30, 900, ROUND - 1, ROUND + 1, 2 * ROUND, 90_000, 100_100].map((delay) => due(time.deadlines, { phaseDue: 1003 + delay }))
    time.holdUp(heldUp)
    const expired = time.expired.map(({ exchange }) => exchange)
    for (const { phaseDue } of expired) assert.ok(phaseDue <= time.now)
    for (const exchange of exchanges) assert.ok(expired.includes(exchange) || exchange.phaseDue > time.now - TICK, `held up for ${heldUp} ms`)
    time.pass(100_100 + 2 * TICK)
    assert.equal(time.expired.length, exchanges.length)
  }
})

test('does not expire what the end of another took out or moved, though it was due in the same tick', () => {
  const time = wheel(1003, (exchange) => {
    // The first that ends, whichever that is, takes one of the others out, lets one go without a deadline and moves one.
    const [out, free, moved] = exchanges.filter((other) => other !== exchange)
    if (time.expired.length > 1) return
    time.deadlines.disarm(out!)
    free!.phaseDue = Infinity
    moved!.phaseDue = 2000
    later.push(moved!)
  })
  const later: ProxyExchange[] = []
  const exchanges = [1100, 1100, 1100, 1100].map((phaseDue) => due(time.deadlines, { phaseDue }))
  time.pass(3 * ROUND)
  assertExpired(time, [time.expired[0]!.exchange, ...later], 2000)
  assert.equal(time.deadlines.size, 0)
})

test('takes in what is filed while others expire, though it be due at once', () => {
  const added: ProxyExchange[] = []
  const time = wheel(1003, () => {
    if (added.length < 3) added.push(due(time.deadlines, { phaseDue: time.now - 100 * added.length }))
  })
  const first = due(time.deadlines, { phaseDue: 1100 })
  time.holdUp(3000)
  time.pass(3 * TICK)
  assertExpired(time, [first, ...added], time.now - 2 * TICK)
})

test('lets what expired begin again', () => {
  const time = wheel(1003, (exchange) => {
    exchange.phaseDue = time.now + 1000
    if (time.expired.length < 3) time.deadlines.arm(exchange)
  })
  due(time.deadlines, { phaseDue: 1100 })
  time.pass(10_000)
  assert.equal(time.expired.length, 3)
})

test('keeps hundreds of deadlines apart', () => {
  const random = seeded(1)
  const time = wheel()
  const exchanges = Array.from({ length: 500 }, () => due(time.deadlines, { phaseDue: 1003 + random() * 3 * ROUND }))
  const gone = new Set(exchanges.filter(() => random() < 0.3))
  time.pass(1)
  for (const exchange of gone) if (exchange.slot !== -1) time.deadlines.disarm(exchange)
  time.pass(3 * ROUND + 2 * TICK)
  assert.equal(time.expired.length, 500 - gone.size)
  for (const { exchange, at } of time.expired) assert.ok(at >= exchange.phaseDue && at <= exchange.phaseDue + 2 * TICK && !gone.has(exchange))
})

test('turns only while there is something to wait for, and for about a second more', () => {
  const time = wheel()
  assert.equal(time.isTurning, false)
  const exchange = due(time.deadlines, { phaseDue: 20_000 })
  time.pass(10_000)
  assert.equal(time.isTurning, true)
  time.deadlines.disarm(exchange)
  time.pass(900)
  assert.equal(time.isTurning, true)
  due(time.deadlines, { phaseDue: time.now + 20 })
  time.pass(500)
  assert.equal(time.expired.length, 1)
  time.pass(1200)
  assert.equal(time.isTurning, false)
  // Long after: the wheel must not think that it stands where it stood.
  time.pass(1_000_007)
  due(time.deadlines, { phaseDue: time.now + 50 })
  time.pass(80)
  assert.equal(time.expired.length, 2)
})

test('knows the time to a tick while it turns', () => {
  const time = wheel()
  due(time.deadlines, { phaseDue: 9000 })
  assert.equal(time.deadlines.now, 1003)
  time.pass(505)
  assert.ok(time.now - time.deadlines.now <= TICK)
})

test('stops when it is closed, as often as that is', () => {
  const time = wheel()
  due(time.deadlines, { phaseDue: 1100 })
  time.deadlines.close()
  time.deadlines.close()
  assert.equal(time.isTurning, false)
  time.pass(1000)
  assert.deepEqual(time.expired, [])
})

test('keeps real time unless it is given another, and holds no process open', async (t) => {
  const bell = new Bell()
  let expiredAt = 0
  const deadlines = new Deadlines(() => {
    expiredAt = performance.now()
    bell.ring()
  })
  t.after(() => { deadlines.close() })
  const phaseDue = performance.now() + 40
  due(deadlines, { phaseDue })
  assert.equal(process.getActiveResourcesInfo().includes('Timeout'), false)
  await bell.until('the deadline', () => expiredAt > 0)
  assert.ok(expiredAt >= phaseDue, `${expiredAt - phaseDue} ms`)
})

test('keeps the process for exchanges that nothing else brings on, and for no others', () => {
  const rig = wheel()
  const [first, second, other] = [exchangeWith(), exchangeWith(), exchangeWith()]
  for (const exchange of [first, second, other]) exchange.phaseDue = rig.now + 100
  rig.deadlines.arm(other)
  assert.equal(rig.isHolding, false)
  rig.deadlines.hold(first)
  rig.deadlines.hold(second)
  rig.deadlines.hold(second)
  assert.equal(rig.isHolding, true)
  rig.deadlines.letGo(first)
  assert.equal(rig.isHolding, true)
  rig.deadlines.disarm(second)
  assert.equal(rig.isHolding, false)
  rig.deadlines.disarm(second)
  rig.deadlines.hold(second)
  assert.equal(rig.isHolding, true)
})

test('what is held stays so while its deadline moves and while it expires, until somebody says otherwise', () => {
  const seen: boolean[] = []
  const rig = wheel(1003, (exchange) => {
    seen.push(rig.isHolding)
    rig.deadlines.disarm(exchange)
  })
  const exchange = exchangeWith()
  exchange.phaseDue = rig.now + 1000
  rig.deadlines.hold(exchange)
  exchange.phaseDue = rig.now + 50
  rig.deadlines.hold(exchange)
  rig.pass(30)
  assert.equal(rig.isHolding, true)
  exchange.phaseDue = rig.now + 100
  rig.pass(50)
  assert.equal(rig.isHolding, true)
  rig.pass(100)
  assert.deepEqual([seen, rig.isHolding], [[true], false])
})
