import assert from 'node:assert/strict'
import { test } from 'node:test'
import { replaceText, TextReplacer, TextStream, type BytePair } from '../../../../lib/data-plane/rewrite/text.ts'

const pairs = (...list: readonly (readonly [string, string])[]): BytePair[] => list.map(([find, replacement]) => [Buffer.from(find), Buffer.from(replacement)])

/** The result for every way to cut the bytes in two, and for bytes one by one: always the same. */
function replaced (text: string, list: BytePair[]): string {
  const bytes = Buffer.from(text)
  const whole = replaceText(bytes, list).toString()
  for (let cut = 0; cut <= bytes.length; cut++) assert.equal(inPieces([bytes.subarray(0, cut), bytes.subarray(cut)], list), whole, `cut at ${cut}`)
  assert.equal(inPieces([...bytes].map((byte) => Buffer.of(byte)), list), whole)
  return whole
}

function inPieces (pieces: Buffer[], list: BytePair[]): string {
  const out: Buffer[] = []
  const replacer = new TextReplacer(list)
  for (const piece of pieces) replacer.give(piece, (bytes) => { out.push(bytes) })
  replacer.finish((bytes) => { out.push(bytes) })
  return Buffer.concat(out).toString()
}

const rows: readonly (readonly [list: BytePair[], text: string, result: string])[] = [
  [pairs(['a', 'b']), '', ''],
  [pairs(['a', 'b']), 'xyz', 'xyz'],
  [pairs(['a', 'b']), 'banana', 'bbnbnb'],
  [pairs(['internal.example', 'shop.example']), 'see http://internal.example/x, internal.exampl', 'see http://shop.example/x, internal.exampl'],
  // What was put in is not looked at again, and what is replaced is used up.
  [pairs(['a', 'aa']), 'aaa', 'aaaaaa'],
  [pairs(['a', 'b'], ['b', 'a']), 'abba', 'baab'],
  [pairs(['aa', 'x']), 'aaaaa', 'xxa'],
  [pairs(['aba', 'x']), 'ababa', 'xba'],
  // Of several in one place the longest, whatever their order.
  [pairs(['ab', '1'], ['abc', '2'], ['a', '3']), 'abcabda', '21d3'],
  [pairs(['abc', 'x'], ['bcd', 'y']), 'abcd', 'xd'],
  [pairs(['abcx', '1'], ['bc', '2']), 'abcabcx', 'a2' + '1'],
  [pairs(['aab', 'x']), 'aaab', 'ax'],
  // Removed; and nothing in a text has a meaning.
  [pairs(['-', '']), 'a-b--c-', 'abc'],
  [pairs(['$&', '.*'], ['(a+)+$', '$1']), '$& (a+)+$ aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!', '.* $1 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!'],
  // Characters of several bytes, which pieces are cut within.
  [pairs(['grüße', 'greetings'], ['€', 'EUR'], ['😀', ':-)']), 'grüße grüß 5 € 😀😀é', 'greetings grüß 5 EUR :-):-)é'],
  [pairs(['é', 'è']), 'éèê', 'èèê']
]

for (const [list, text, result] of rows) {
  test(`${JSON.stringify(text)} with ${JSON.stringify(list.map((pair) => pair.map(String)))} is ${JSON.stringify(result)}, in whatever pieces it comes`, () => {
    assert.equal(replaced(text, list), result)
  })
}

test('keeps back nothing but what may be the beginning of a text', () => {
  const out: string[] = []
  const replacer = new TextReplacer(pairs(['needle', 'pin'], ['no', 'yes']))
  for (const piece of ['data: 1\n\n', 'nee', 'd', 'dle', 'n', 'e']) {
    replacer.give(Buffer.from(piece), (bytes) => { out.push(String(bytes)) })
    out.push('|')
  }
  replacer.finish((bytes) => { out.push(String(bytes)) })

  assert.equal(out.join(''), 'data: 1\n\n|||needdle|||ne')
})

test('finds the same as a search in a whole string, for thousands of made-up texts', () => {
  let state = 7
  const below = (n: number): number => { state = (Math.imul(state, 1103515245) + 12345) >>> 0; return (state >>> 8) % n }
  const word = (max: number): string => Array.from({ length: 1 + below(max) }, () => 'ab€'[below(3)]).join('')
  for (let n = 0; n < 2000; n++) {
    const list = Array.from({ length: 1 + below(3) }, () => [word(4), word(3)] as const)
    const text = word(30)
    const bytes = Buffer.from(text)
    const pieces: Buffer[] = []
    for (let at = 0; at < bytes.length;) {
      const size = 1 + below(5)
      pieces.push(bytes.subarray(at, at + size))
      at += size
    }
    const sorted = [...list].sort(([a], [b]) => Buffer.byteLength(b) - Buffer.byteLength(a))
    let expected = ''
    for (let at = 0; at < text.length;) {
      const hit = sorted.find(([find]) => text.startsWith(find, at))
      expected += hit === undefined ? text[at] : hit[1]
      at += hit === undefined ? 1 : hit[0].length
    }
    assert.equal(inPieces(pieces, pairs(...list)), expected, JSON.stringify({ list, text }))
  }
})

test('nothing to look for is nothing to do', () => {
  assert.equal(replaced('abc', []), 'abc')
})

test('is a stream as well', async () => {
  const stream = new TextStream(pairs(['ab', 'x']))
  stream.write('1a')
  stream.write('b2a')
  stream.end()
  let text = ''
  for await (const chunk of stream) text += String(chunk)
  assert.equal(text, '1x2a')
})
