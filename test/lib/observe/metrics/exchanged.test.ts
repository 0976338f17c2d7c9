import assert from 'node:assert/strict'
import test from 'node:test'
import { mergeInto, printing, type Told, tell, tellLasting } from '../../../../lib/observe/metrics/exchanged.ts'
import { inSlices } from '../../../../lib/observe/metrics/collect.ts'
import { printed, textOf } from '../../../../lib/observe/metrics/prometheus.ts'
import { Recorder } from '../../../../lib/observe/metrics/recorder.ts'
import { openFlow } from '../../../../lib/model/flow.ts'
import { attemptOf, endpointAt, exchangeWith, upstreamOf } from '../../samples.ts'

function counted (attempts: number): Recorder {
  const recorder = new Recorder('7')
  const upstream = upstreamOf('a', [endpointAt('http://10.0.0.1:3000')])
  recorder.onUpstream(upstream)
  for (let index = 0; index < attempts; index++) {
    recorder.onAttempt(attemptOf(exchangeWith(), { endpoint: upstream.state.endpoints[0]!, statusCode: 200, startedAt: 1, sentAt: 1, headAt: 2, endedAt: 3 }))
  }
  return recorder
}

const print = async (all: Told): Promise<string> => textOf(await inSlices(printing(all)))

/** Without what differs from reading to reading. */
function lasting (text: string): string {
  return text.replace(/^sluice_event_loop.*$/gm, '')
}

test('what one process tells is printed like what it prints itself', async () => {
  const recorder = counted(2)
  const all: Told = {}
  mergeInto(all, structuredClone(await tell(recorder)))

  assert.equal(lasting(await print(all)), lasting(await textOf(await printed(recorder))))
})

test('counters and histograms are added up, states are not', async () => {
  const all: Told = {}
  for (const attempts of [2, 3]) mergeInto(all, await tell(counted(attempts)))
  const text = await print(all)

  assert.match(text, /^sluice_upstream_attempts_total\{[^}]+\} 5$/m)
  assert.match(text, /^sluice_upstream_header_duration_seconds_count\{upstream="a"\} 5$/m)
  assert.match(text, /^sluice_upstream_header_duration_seconds_bucket\{upstream="a",le="0.001"\} 5$/m)
  assert.match(text, /^sluice_upstream_header_duration_seconds_sum\{upstream="a"\} 0.005$/m)
  assert.match(text, /^sluice_endpoints\{upstream="a",state="total"\} 1$/m)
  assert.match(text, /^sluice_endpoint_up\{[^}]+\} 1$/m)
})

test('what a recorder that goes has counted is told without its states', async () => {
  const lasting = tellLasting(counted(2))
  const all = await tell(counted(2))

  assert.deepEqual(lasting['sluice_upstream_attempts_total'], all['sluice_upstream_attempts_total'])
  assert.deepEqual(lasting['sluice_upstream_header_duration_seconds'], all['sluice_upstream_header_duration_seconds'])
  assert.equal('sluice_endpoint_up' in lasting, false)
})

test('what a recorder that goes has counted includes the bytes of what is still open', () => {
  const recorder = new Recorder('7')
  const exchange = exchangeWith({ route: { id: '/a' } })
  openFlow(recorder.flows, exchange)
  exchange.bytesOut = 70

  assert.deepEqual(tellLasting(recorder)['sluice_response_bytes_total'], { 'route="/a",upstream="orders"': 70 })
})

test('merging changes neither side but the first', async () => {
  const told = await tell(counted(1))
  const before = structuredClone(told)
  const all: Told = {}
  mergeInto(all, told)
  mergeInto(all, told)

  assert.deepEqual(told, before)
})

test('only some of it, where only some is wanted; and what nobody knows is left out', () => {
  const all: Told = {}
  mergeInto(all, { sluice_websocket_active: { 'upstream="a"': 1 }, sluice_upstream_retries_total: { x: 2 }, strange: { y: 3 } }, ({ type }) => type === 'counter')

  assert.deepEqual(all, { sluice_upstream_retries_total: { x: 2 } })
})

test('a histogram that another version tells as a number does no harm', () => {
  const all: Told = { sluice_upstream_queue_duration_seconds: { x: [1, 2] } }
  mergeInto(all, { sluice_upstream_queue_duration_seconds: { x: 3 } })

  assert.deepEqual(all, { sluice_upstream_queue_duration_seconds: { x: [1, 2] } })
})
