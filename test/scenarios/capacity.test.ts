import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { fairly } from '../helpers/fair.ts'
import { lone, type Member } from './fleet.ts'
import { ask, isFull, Load, pause, percentile, slack } from './load.ts'
import { peerNames, startPeer } from './peers.ts'
import type { Usage } from './proxy.ts'

/* Issue 4, Done when 5. In short here, in full with `npm run scenarios`, there beside nginx and HAProxy. */

const seats = 10
/** ms that a request takes in the upstream. In short it is a slow one: what a busy machine does to it then weighs less. */
const time = isFull ? 20 : 100
/** Requests per second. */
const capacity = seats * 1000 / time
/** Half as many again as there are seats, so that none is empty while an answer is on its way; and as many may wait. */
const active = 15
const pending = 15
const seconds = isFull ? { calm: 4, over: 10, after: 5 } : { calm: 1, over: 2, after: 1.5 }
/** ms of the overload that are left out: the time in which a queue fills. */
const settling = isFull ? 1000 : 500
/** ms after which no client waits for an answer any more. */
const patience = 1000

interface Figures {
  /** Answers per second that came in time. */
  readonly goodput: number
  /** ms, p99 of those answered well, before and in the overload. */
  readonly calm: number
  readonly accepted: number
  /** ms, p99. */
  readonly refused: number
  readonly refusals: Readonly<Record<number, number>>
  /** ms after the end of the overload until all was as before. */
  readonly recovered: number
}

/** A quiet time, then three times as much as can be done, then a quiet time again. */
async function overload (url: string, each: (phase: 'before' | 'over' | 'after') => Promise<void> = async () => {}): Promise<Figures> {
  const load = new Load(url, capacity / 2, patience)
  await pause(seconds.calm * 500)
  const calmed = performance.now()
  await pause(seconds.calm * 500)
  await each('before')
  const begun = load.change(capacity * 3)
  const end = begun + seconds.over * 1000
  while (performance.now() < end) {
    await pause(Math.min(250, end - performance.now()))
    await each('over')
  }
  const dropped = load.change(capacity / 2)
  await pause(seconds.after * 1000)
  await load.stop()
  await each('after')

  const isGood = ({ status }: { status: number }): boolean => status === 200
  const counted = load.answers.filter((answer) => {
    const at = answer.startedAt + answer.took
    return isGood(answer) && at >= begun + settling && at < dropped
  })
  const during = load.between(begun, dropped)
  const refused = during.filter(({ status }) => status !== 200)
  const calm = percentile(load.between(calmed, begun), 0.99)
  const slow = calm * 2 + (isFull ? 0 : 200)
  const late = load.between(dropped).filter((answer) => !isGood(answer) || answer.took > slow)
  const refusals: Record<number, number> = {}
  for (const { status } of refused) refusals[status] = (refusals[status] ?? 0) + 1
  return {
    goodput: counted.length / (dropped - begun - settling) * 1000,
    calm,
    accepted: percentile(during.filter(isGood), 0.99),
    refused: percentile(refused, 0.99),
    refusals,
    recovered: Math.max(0, ...late.map(({ startedAt }) => startedAt - dropped))
  }
}

function tell (t: TestContext, name: string, { goodput, calm, accepted, refused, refusals, recovered }: Figures): void {
  t.diagnostic(`${name}: goodput ${goodput.toFixed(0)}/s, ${(goodput / capacity * 100).toFixed(1)} % of capacity; p99 of answers ${accepted.toFixed(0)} ms (${calm.toFixed(0)} before), ` +
    `of refusals ${refused.toFixed(1)} ms (${JSON.stringify(refusals)}); recovered after ${recovered.toFixed(0)} ms`)
}

function upstream (t: TestContext): Promise<Member> {
  return lone(t, 'seats.js', String(seats), String(time))
}

async function usage (proxy: Member, query: string): Promise<Usage> {
  return JSON.parse((await ask(`${proxy.url}/usage${query}`)).from) as Usage
}

test(`5: of three times its capacity of ${capacity}/s an upstream still gets its fill done, and the rest hears so at once`, (t) => fairly(slack, async () => {
  const proxy = await lone(t, 'proxy.js', JSON.stringify({
    upstreams: { some: { endpoints: [(await upstream(t)).url], limits: { active, pending } } },
    routes: [{ url: '/*', upstream: 'some' }]
  }))
  const MiB = 2 ** 20
  // Twice in full: the first time code is compiled, and what is kept of one overload is kept of each.
  for (let round = 1; round <= (isFull ? 2 : 1); round++) {
    const held: number[] = []
    const resident: number[] = []
    const figures = await overload(proxy.url, async (phase) => {
      if (phase === 'over') resident.push((await usage(proxy, '')).resident)
      else held.push((await usage(proxy, '?tidy')).held)
    })
    const [before, after] = held as [number, number]
    const [first, last] = [resident[Math.floor(resident.length / 3)]!, resident.at(-1)!]
    tell(t, 'ours', figures)
    t.diagnostic(`memory: ${resident.map((bytes) => (bytes / MiB).toFixed(0)).join(' ')} MiB resident in the overload, which leaves ${((after - before) / MiB).toFixed(2)} MiB`)
    assert.ok(figures.goodput >= capacity * (isFull ? 0.95 : 0.7))
    assert.ok(figures.refused <= (isFull ? 20 : 1000))
    assert.deepEqual(Object.keys(figures.refusals), ['503'])
    assert.ok(figures.recovered <= 2000)
    assert.ok(last <= first * (isFull ? 1.1 : 1.5), 'resident memory is flat')
    assert.ok(after - before < (round === 1 ? 6 : 2) * MiB, 'nothing is kept of an overload')
  }
}))

if (isFull) {
  test('5: the same without anything in between', (t) => fairly(slack, async () => {
    tell(t, 'direct', await overload((await upstream(t)).url))
  }))

  for (const name of peerNames) {
    test(`5: the same with ${name} in front`, (t) => fairly(slack, async () => {
      const url = await startPeer(t, name, { upstreamPort: (await upstream(t)).port, active, pending })
      if (url === null) t.diagnostic(`!!!!! ${name} is not installed: nothing to compare with !!!!!`)
      else tell(t, name, await overload(url))
    }))
  }
}
