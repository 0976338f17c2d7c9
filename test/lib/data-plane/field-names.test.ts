import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fieldName } from '../../../lib/data-plane/field-names.ts'

function named (text: string): string {
  return fieldName(Buffer.from(text, 'latin1'))
}

test('gives the name of a field in lower case, however often and in whatever case it is asked for', () => {
  for (const text of ['Content-Type', 'content-type', 'CONTENT-TYPE', 'Content-Type', 'X', 'x', 'ETag', 'caf\u00c9']) {
    for (let time = 0; time < 3; time++) assert.equal(named(text), text.toLowerCase())
  }
})

test('tells names apart that share their length and the bytes that are looked at first', () => {
  // First, middle and last byte alike, and so the slot.
  const names = ['x-aab-z', 'x-bab-z', 'x-aabcz', 'y-aab-y']
  for (const text of [...names, ...names.reverse()]) assert.equal(named(text), text)
})

test('knows more names than it can remember', () => {
  const letters = [...'abcdefghijklmnopqrstuvwxyz']
  const pairs = letters.flatMap((a) => letters.map((b) => a + b))
  // Each with every name that begins with it, and one after another with names that share no letter.
  for (const text of pairs) {
    for (const letter of letters) {
      assert.equal(named(text + letter), text + letter)
      assert.equal(named(text), text)
    }
  }
  for (const [index, text] of pairs.entries()) assert.equal(named(text), text, String(index))
})

test('remembers a name as it was, whatever becomes of the bytes that it was read from', () => {
  const read = Buffer.from('X-Mine: 1')
  const view = read.subarray(0, 6)
  assert.equal(fieldName(view), 'x-mine')
  view.write('X-Your')
  assert.equal(fieldName(view), 'x-your')
  assert.equal(named('X-Mine'), 'x-mine')
})
