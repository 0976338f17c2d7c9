import assert from 'node:assert/strict'
import cluster, { type Worker } from 'node:cluster'
import test, { type TestContext } from 'node:test'
import { gatherMetrics } from '../../../../lib/observe/metrics/gather.ts'
import type { Message } from '../../../../lib/observe/metrics/worker.ts'
import { Scrape } from '../../../helpers/metrics.ts'

/** What a worker of node:cluster is to its primary: it is told something, and says something. */
class Pretended {
  readonly heard: Message[] = []
  isHere = true

  isConnected (): boolean { return this.isHere }

  send (message: Message): void { this.heard.push(message) }

  say (message: Message): void { cluster.emit('message', this as unknown as Worker, message) }

  /** Answers the last question with so many reloads. */
  answer (reloads: number): void {
    const { id } = this.heard.at(-1) as { id: number }
    this.say({ sluice: 'told', id, told: { sluice_config_reloads_total: { 'result="success"': reloads } }, isLast: false })
    this.say({ sluice: 'told', id, told: { sluice_build_info: { '': 1 } }, isLast: true })
  }

  end (): void {
    this.isHere = false
    cluster.emit('exit', this as unknown as Worker, 1, 'SIGKILL')
  }
}

function gatherFrom (t: TestContext, count: number): { gathered: ReturnType<typeof gatherMetrics>, workers: Pretended[] } {
  // Nobody's patience is over unless a test says so.
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const gathered = gatherMetrics()
  t.after(() => gathered.close())
  const workers = Array.from({ length: count }, () => new Pretended())
  for (const worker of workers) worker.say({ sluice: 'present' })
  return { gathered, workers }
}

async function reloads (text: Promise<string>): Promise<number> {
  return new Scrape(await text).sum('sluice_config_reloads_total')
}

test('adds up what all have told, and keeps what those had that are gone', async (t) => {
  const { gathered, workers: [one, other] } = gatherFrom(t, 2)
  const first = reloads(gathered.prometheus())
  one!.answer(2)
  other!.answer(3)
  assert.equal(await first, 5)

  one!.end()
  const second = reloads(gathered.prometheus())
  other!.answer(4)
  assert.equal(await second, 6)
})

test('does not wait for one whose apps have closed, and keeps what they counted', async (t) => {
  const { gathered, workers: [one, other] } = gatherFrom(t, 2)
  const first = reloads(gathered.prometheus())
  one!.answer(2)
  other!.answer(3)
  await first

  one!.say({ sluice: 'absent' })
  const second = reloads(gathered.prometheus())
  other!.answer(3)
  assert.equal(await second, 5)

  // Another app in that process, which counts from the beginning.
  one!.say({ sluice: 'present' })
  const third = reloads(gathered.prometheus())
  one!.answer(1)
  other!.answer(3)
  assert.equal(await third, 6)
  one!.end()
  const fourth = reloads(gathered.prometheus())
  other!.answer(3)
  assert.equal(await fourth, 6)
})

test('does not wait for one that is killed while it is asked', async (t) => {
  const { gathered, workers: [one, other] } = gatherFrom(t, 2)
  const asked = reloads(gathered.prometheus())
  one!.answer(2)
  other!.end()
  assert.equal(await asked, 2)
})

test('one that does not answer in time counts with what it told last', async (t) => {
  const { gathered, workers: [one, other] } = gatherFrom(t, 2)
  const first = reloads(gathered.prometheus())
  one!.answer(2)
  other!.answer(3)
  await first

  const second = reloads(gathered.prometheus())
  one!.answer(10)
  t.mock.timers.tick(1000)
  assert.equal(await second, 13)
  // Too late, and of somebody whom nobody knows.
  other!.answer(30)
  new Pretended().say({ sluice: 'told', id: 1, told: {}, isLast: true })
})

test('a worker is asked only once it has said that it is there, and told that its primary gathers', async (t) => {
  const { gathered, workers: [one] } = gatherFrom(t, 1)
  assert.deepEqual(one!.heard, [{ sluice: 'present' }])
  one!.say({ sluice: 'present' })
  assert.deepEqual(one!.heard, [{ sluice: 'present' }], 'and once')
  new Pretended().end()
  one!.end()
  assert.equal(await reloads(gathered.prometheus()), 0)
})
