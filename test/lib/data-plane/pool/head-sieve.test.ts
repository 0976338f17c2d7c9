import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import { HeadSieve } from '../../../../lib/data-plane/pool/head-sieve.ts'

/** What is left to read of these pieces, latin1, null where a read gives nothing; and the length that was hidden. */
function sifted (pieces: readonly string[], expect = 1, headLimit = 16 * 1024): { read: (string | null)[], hiddenLength: string | null } {
  const waiting = pieces.map((piece) => Buffer.from(piece, 'latin1'))
  const socket = { read: () => waiting.shift() ?? null } as unknown as Socket
  const sieve = new HeadSieve(socket, headLimit)
  for (let count = 0; count < expect; count++) sieve.expect()
  const read = pieces.map(() => (socket.read() as Buffer | null)?.toString('latin1') ?? null)
  assert.equal(socket.read(), null)
  return { read, hiddenLength: sieve.hiddenLength }
}

const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n'
const HINT = 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
const MOVED = 'HTTP/1.1 302 Found\r\nContent-Length: 2\r\n\r\nok'
const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n'

const cases: readonly (readonly [what: string, pieces: string[], read: (string | null)[]])[] = [
  ['an answer', [OK], [OK]],
  ['a redirect', [MOVED], [MOVED]],
  ['a change of protocol, and whatever follows', [SWITCH + CONTINUE, CONTINUE], [SWITCH + CONTINUE, CONTINUE]],
  ['bytes that are no HTTP', ['garbage, long enough', OK], ['garbage, long enough', OK]],
  ['a 100 before an answer', [CONTINUE + OK], [OK]],
  ['a 100 alone', [CONTINUE, OK], [null, OK]],
  ['a 100 in three pieces', ['HTT', CONTINUE.slice(3, 15), CONTINUE.slice(15) + OK], [null, null, OK]],
  ['several of them, between hints', [CONTINUE + HINT + CONTINUE + CONTINUE + HINT + OK], [HINT + HINT + OK]],
  ['hints that end in a piece', [HINT + CONTINUE + HINT.slice(0, 20), HINT.slice(20) + OK], [HINT, HINT + OK]],
  ['a hint whose piece ends with it', [HINT, CONTINUE, OK], [HINT, null, OK]],
  ['a 100 behind the head', [OK + CONTINUE, CONTINUE], [OK + CONTINUE, CONTINUE]],
  ['a few bytes that are no HTTP', ['hi\r\n', CONTINUE], ['hi\r\n', CONTINUE]],
  ['no HTTP behind it', [`${CONTINUE}ok`, CONTINUE], ['ok', CONTINUE]],
  ['a status of more digits', ['HTTP/1.1 1000 X\r\n', CONTINUE], ['HTTP/1.1 1000 X\r\n', CONTINUE]],
  ['lines that end in LF', ['HTTP/1.1 103 X\nA: 1\n\n', CONTINUE], ['HTTP/1.1 103 X\nA: 1\n\n', CONTINUE]],
  ['a 100 without a reason', ['HTTP/1.1 100\r\n\r\n' + OK], [OK]],
  ['an answer that is shorter than a status line', ['HTTP/1.1 20', '0 OK\r\n\r\n'], [null, 'HTTP/1.1 200 OK\r\n\r\n']]
]

for (const [what, pieces, read] of cases) {
  test(`gives ${what} without any 100`, () => { assert.deepEqual(sifted(pieces).read, read) })
}

test('touches nothing while no head is due', () => {
  assert.deepEqual(sifted([CONTINUE, OK], 0).read, [CONTINUE, OK])
})

test('takes the length out of a 304, wherever it stands and however it is written, and says it', () => {
  for (const line of ['Content-Length: 12', 'content-length:12', 'CONTENT-LENGTH :  12 ']) {
    const { read, hiddenLength } = sifted([`HTTP/1.1 304 Not Modified\r\nA: 1\r\n${line}\r\nB: 2\r\n\r\nnext`])
    assert.deepEqual([read, hiddenLength], [['HTTP/1.1 304 Not Modified\r\nA: 1\r\nB: 2\r\n\r\nnext'], '12'])
  }
  const cut = sifted([`${CONTINUE}HTTP/1.1 304 X\r\nContent-Len`, 'gth: 12\r\n\r\n'])
  assert.deepEqual([cut.read, cut.hiddenLength], [[null, 'HTTP/1.1 304 X\r\n\r\n'], '12'])
})

test('leaves a length of a 304 that is none, or is said twice, to be refused', () => {
  for (const lines of ['Content-Length: x', 'Content-Length: 1\r\nContent-Length: 1', 'X-Content-Length: 1', '']) {
    const head = `HTTP/1.1 304 Not Modified\r\n${lines}\r\n\r\n`
    assert.deepEqual(sifted([head]), { read: [head], hiddenLength: null })
  }
})

test('takes out no more than 64 for one request', () => {
  assert.deepEqual(sifted([CONTINUE.repeat(64) + OK]).read, [OK])
  assert.deepEqual(sifted([CONTINUE.repeat(66) + OK]).read, [CONTINUE.repeat(2) + OK])
})

test('waits for no head without end', () => {
  const endless = `HTTP/1.1 103 Early Hints\r\nX: ${'x'.repeat(40_000)}`
  assert.deepEqual(sifted([endless, 'more']).read, [endless, 'more'])
})

test('waits for a longer head where the pool takes one', () => {
  const link = `Link: ${'x'.repeat(40_000)}\r\n`
  const head = `HTTP/1.1 304 X\r\n${link}Content-Length: 7\r\n\r\n`
  const { read, hiddenLength } = sifted([head.slice(0, 39_000), head.slice(39_000)], 1, 64 * 1024)
  assert.deepEqual([read, hiddenLength], [[null, `HTTP/1.1 304 X\r\n${link}\r\n`], '7'])
})

test('begins anew with every request', () => {
  const waiting = [Buffer.from('HTTP/1.1 304 X\r\nContent-Length: 7\r\n\r\n'), Buffer.from('HTTP/1.1 1'), Buffer.from(OK)]
  const socket = { read: () => waiting.shift() ?? null } as unknown as Socket
  const sieve = new HeadSieve(socket, 16 * 1024)
  sieve.expect()
  socket.read()
  assert.equal(sieve.hiddenLength, '7')
  sieve.expect()
  assert.equal(sieve.hiddenLength, null)
  assert.equal(socket.read(), null)
  sieve.expect()
  assert.equal(String(socket.read()), OK)
})
