import assert from 'node:assert/strict'
import test from 'node:test'
import { LineBytes } from '../../../lib/observe/line-bytes.ts'
import { Names } from '../../../lib/observe/names.ts'

function printed (print: (line: LineBytes) => void): string | null {
  const line = new LineBytes()
  line.begin()
  print(line)
  return line.isWhole ? line.take() : null
}

const numbers = [0, 1, 9, 10, 11, 99, 100, 101, 1234567890, 2 ** 31 - 2, 2 ** 31 - 1, 2 ** 31, 2 ** 40, Number.MAX_SAFE_INTEGER, -1, NaN, Infinity]
for (const number of numbers) {
  test(`prints ${number} as JSON does`, () => {
    assert.equal(printed((line) => { line.integer(number) }), JSON.stringify(number))
  })
}

test('prints milliseconds in hundredths as JSON prints the rounded number', () => {
  const samples = [0, -0, 0.004, 0.005, 0.01, 0.1, 0.1 + 0.2, 1, 1.005, 9.999, 10, 99.994, 99.995, 12345.678, 1e7, 1e12, -1.5, NaN, Infinity]
  for (let sample = 0; sample < 3; sample += 0.00173) samples.push(sample)
  for (const sample of samples) assert.equal(printed((line) => { line.hundredths(sample) }), JSON.stringify(Math.round(sample * 100) / 100), String(sample))
})

const texts: readonly (readonly [text: string, isPlain: boolean])[] = [
  ['', true], ['/a/b', true], ['caf\u00e9 \u007f\u0080\u00ff', true],
  ['"', false], ['\\', false], ['\n', false], ['\u0000', false], ['\u001f', false], ['\u0100', false], ['\u{1f600}', false], ['\ud800', false]
]
for (const [text, isPlain] of texts) {
  test(`${isPlain ? 'prints' : 'leaves to others'} the text ${JSON.stringify(text)}`, () => {
    assert.equal(printed((line) => { line.text(text) }), isPlain ? JSON.stringify(text) : null)
  })
}

test('prints no more of a text than is wanted', () => {
  assert.equal(printed((line) => { line.text('/a?b', 2) }), '"/a"')
})

test('prints names with what stands around them, now and again', () => {
  const names = new Names(',"path":', ';')
  assert.equal(printed((line) => { line.name(names, 'GET'); line.name(names, '/'); line.name(names, 'GET') }), ',"path":"GET";,"path":"/";,"path":"GET";')
})

test('prints pieces of any length, one behind the other', () => {
  const pieces = [0, 1, 7, 8, 9, 10, 63, 64, 1000].map((length) => Buffer.from('abcdefghij'.repeat(100).slice(0, length)))
  assert.equal(printed((line) => { for (const piece of pieces) line.piece(piece) }), pieces.join(''))
})

test('a name beyond latin1 is left to others each time', () => {
  const names = new Names('', '')
  for (const print of [(line: LineBytes) => { line.name(names, '\u65e5') }, (line: LineBytes) => { line.name(names, '\u65e5'); line.name(names, 'a') }]) assert.equal(printed(print), null)
})

for (const [value, json] of [['req-1', '"req-1"'], [7, null], [undefined, null], [{ a: 1 }, null]] as const) {
  test(`${json === null ? 'leaves to others' : 'prints'} what an app calls ${JSON.stringify(value)}`, () => {
    assert.equal(printed((line) => { line.value(value) }), json)
  })
}

test('what does not fit is dropped whole, and what stood before it stays', () => {
  const line = new LineBytes()
  line.begin()
  line.text('first')
  line.begin()
  for (let count = 0; count < 70; count++) line.text('x'.repeat(1000))
  line.integer(1)
  line.hundredths(1)
  assert.equal(line.isWhole, false)
  line.drop()
  assert.equal(line.isEmpty, false)
  line.begin()
  line.text('second')
  assert.equal(line.isWhole, true)
  assert.equal(line.take(), '"first""second"')
  assert.equal(line.isEmpty, true)
})
