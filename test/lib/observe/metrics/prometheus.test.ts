import assert from 'node:assert/strict'
import test from 'node:test'
import type { Definition } from '../../../../lib/observe/metrics/catalog.ts'
import { Histogram } from '../../../../lib/observe/metrics/histogram.ts'
import { textOf, TextWriter } from '../../../../lib/observe/metrics/prometheus.ts'
import { single, whole } from '../../../../lib/observe/metrics/sample.ts'

const textBy = (writer: TextWriter): Promise<string> => textOf(writer.pieces)

const counter: Definition = { name: 'a_total', help: 'Back\\slash\nand line.', type: 'counter', labels: ['x', 'y'], buckets: [], merge: 'sum' }
const histogram: Definition = { name: 'b_seconds', help: 'B.', type: 'histogram', labels: [], buckets: [0.001, 0.5], merge: 'sum' }

test('help and labels are escaped', async () => {
  const writer = new TextWriter()
  writer.begin(counter)
  writer.sample(single(['plain', 'q"uote, b\\ackslash,\nline'], 1.5), counter)

  assert.equal(await textBy(writer), '# HELP a_total Back\\\\slash\\nand line.\n# TYPE a_total counter\na_total{x="plain",y="q\\"uote, b\\\\ackslash,\\nline"} 1.5\n')
})

test('buckets are cumulative, and +Inf has all', async () => {
  const counted = new Histogram(histogram.buckets)
  for (const microseconds of [500, 500, 2000, 900_000]) counted.observe(microseconds)
  const writer = new TextWriter()
  writer.begin(histogram)
  writer.sample(whole([], counted), histogram)

  assert.deepEqual((await textBy(writer)).split('\n').slice(2), [
    'b_seconds_bucket{le="0.001"} 2', 'b_seconds_bucket{le="0.5"} 3', 'b_seconds_bucket{le="+Inf"} 4', 'b_seconds_sum 0.903', 'b_seconds_count 4', ''
  ])
})

test('a text of many pieces is whole', async () => {
  const writer = new TextWriter()
  for (let index = 0; index < 10_000; index++) writer.sample(single([String(index), 'ä'], index), counter)
  const lines = (await textBy(writer)).split('\n')

  assert.equal(lines.length, 10_001)
  assert.ok(lines.slice(0, -1).every((line, index) => line === `a_total{x="${index}",y="ä"} ${index}`))
})
