import assert from 'node:assert/strict'
import test from 'node:test'
import { Names } from '../../../lib/observe/names.ts'

const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1')

for (const name of ['GET', 'a "quoted" \\ name', 'caf\u00e9 \u0080\u00ff', '\u0000\n', '', 200, '200', 'constructor']) {
  test(`gives ${JSON.stringify(name)} as JSON, with what stands around it, now and again`, () => {
    const names = new Names(',"field":', ',')
    assert.equal(textOf(names.bytesOf(name)), `,"field":${JSON.stringify(name)},`)
    assert.equal(names.bytesOf(name), names.bytesOf(name))
  })
}

test('a number and its digits are two names', () => {
  const names = new Names('', '')
  assert.equal(textOf(names.bytesOf(200)), '200')
  assert.equal(textOf(names.bytesOf('200')), '"200"')
})

for (const name of ['\u0100', '\u65e5', '\u{1f600}', '\ud800x']) {
  // A lone surrogate is escaped by JSON, and so is latin1 again.
  const isPlain = name === '\ud800x'
  test(`gives ${isPlain ? 'escaped bytes' : 'no bytes'} for ${JSON.stringify(name)}`, () => {
    const names = new Names('<', '>')
    for (let time = 0; time < 2; time++) assert.equal(textOf(names.bytesOf(name)), isPlain ? '<"\\ud800x">' : '')
  })
}

test('more names than are kept are right all the same, and are not all kept', () => {
  const names = new Names('', '')
  const first = names.bytesOf('name 0')
  for (let count = 1; count < 10_000; count++) assert.equal(textOf(names.bytesOf(`name ${count}`)), `"name ${count}"`)
  assert.notEqual(names.bytesOf('name 0'), first)
})
