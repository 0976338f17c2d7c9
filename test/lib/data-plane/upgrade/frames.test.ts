import assert from 'node:assert/strict'
import { test } from 'node:test'
import { closeForClient, closeForUpstream, Frames } from '../../../../lib/data-plane/upgrade/frames.ts'

function frame (opcode: number, length: number, isMasked: boolean): Buffer {
  const mask = isMasked ? [1, 2, 3, 4] : []
  const bit = isMasked ? 0x80 : 0
  const big = Buffer.alloc(8)
  big.writeBigUInt64BE(BigInt(length))
  const size = length < 126 ? [bit | length] : length < 65536 ? [bit | 126, ...big.subarray(6)] : [bit | 127, ...big]
  return Buffer.concat([Buffer.from([0x80 | opcode, ...size, ...mask]), Buffer.alloc(length, 0x88)])
}

const lengths = [0, 1, 125, 126, 127, 65535, 65536, 70_000]

for (const isMasked of [false, true]) {
  test(`knows where frames end, of every length and however they are cut (${isMasked ? 'masked' : 'unmasked'})`, () => {
    const stream = lengths.map((length) => frame(2, length, isMasked))
    const all = Buffer.concat(stream)
    for (const step of [1, 2, 3, 7, 1000, all.length]) {
      const frames = new Frames()
      const ends = new Set<number>()
      let end = 0
      for (const { length } of stream) ends.add(end += length)
      for (let index = 0; index < all.length; index += step) {
        assert.equal(frames.take(all.subarray(index, index + step)), Math.min(step, all.length - index))
        const at = Math.min(index + step, all.length)
        assert.equal(frames.isBetween, ends.has(at), `at ${at} in steps of ${step}`)
      }
      assert.equal(frames.hasClosed, false)
    }
  })
}

test('stops at the first end of a frame when it is told to', () => {
  const [first, second] = [frame(1, 300, true), frame(1, 5, true)]
  const frames = new Frames()
  frames.take(first.subarray(0, 3))

  assert.equal(frames.take(Buffer.concat([first.subarray(3), second]), true), first.length - 3)

  assert.equal(frames.isBetween, true)
  assert.equal(frames.take(second.subarray(0, 4), true), 4)
  assert.equal(frames.isBetween, false)
})

test('tells a close frame once it is whole, and nothing else for one', () => {
  const frames = new Frames()
  frames.take(Buffer.concat([frame(9, 3, false), frame(1, 200, false)]))
  assert.equal(frames.hasClosed, false)
  const close = frame(8, 2, true)
  frames.take(close.subarray(0, close.length - 1))
  assert.equal(frames.hasClosed, false)
  frames.take(close.subarray(close.length - 1))
  assert.equal(frames.hasClosed, true)
})

test('is between frames before the first byte', () => {
  assert.equal(new Frames().isBetween, true)
})

for (const [whom, close] of [['clients', closeForClient], ['upstreams', closeForUpstream]] as const) {
  test(`its close frame for ${whom} is one`, () => {
    const frames = new Frames()
    frames.take(close)
    assert.deepEqual([frames.isBetween, frames.hasClosed, (close[1]! & 0x80) !== 0], [true, true, whom === 'upstreams'])
    assert.equal(close.readUInt16BE(close.length - 2), 1001)
  })
}
