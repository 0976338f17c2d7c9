import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type AddressInfo, Socket } from 'node:net'
import test, { type TestContext } from 'node:test'
import { ReadingSocket } from '../../../../lib/data-plane/pool/reading-socket.ts'
import { eventually } from '../../../helpers/until.ts'

interface Pair { readonly socket: ReadingSocket, readonly other: Socket }

async function pair (t: TestContext): Promise<Pair> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const socket = new ReadingSocket()
  socket.on('error', () => {})
  socket.connect((server.address() as AddressInfo).port, '127.0.0.1')
  const [[other]] = await Promise.all([once(server, 'connection') as Promise<[Socket]>, once(socket, 'connect')])
  t.after(() => { socket.destroy(); other.destroy(); server.close() })
  return { socket, other }
}

/** Reads until `length` bytes are there, as undici reads: on 'readable', until there is nothing. */
async function taken (socket: ReadingSocket, length: number, take: (chunk: Buffer) => void): Promise<void> {
  let bytes = 0
  await new Promise<void>((resolve) => {
    socket.on('readable', function onReadable () {
      for (let chunk = socket.read(); chunk !== null; chunk = socket.read()) {
        bytes += chunk.length
        take(chunk)
      }
      if (bytes < length) return
      socket.off('readable', onReadable)
      resolve()
    })
  })
}

test('gives small reads as copies, which stay as they are', async (t) => {
  const { socket, other } = await pair(t)
  const chunks: Buffer[] = []
  for (const text of ['first', 'second']) {
    other.write(text)
    await taken(socket, text.length, (chunk) => chunks.push(chunk))
  }
  assert.deepEqual(chunks.map(String), ['first', 'second'])
})

/** Lengths of the chunks in which so many bytes come. */
async function lengthsOf ({ socket, other }: Pair, length: number): Promise<number[]> {
  const lengths: number[] = []
  other.write(Buffer.alloc(length, 1))
  await taken(socket, length, (chunk) => {
    assert.ok(chunk.every((byte) => byte === 1))
    lengths.push(chunk.length)
    socket.takeBack(chunk)
  })
  return lengths
}

test('connections share 16 KiB until they are given more at once, and none sees what is another\'s', async (t) => {
  const pairs = await Promise.all(Array.from({ length: 50 }, () => pair(t)))
  for (const [index, { other }] of pairs.entries()) other.write(`from ${index}`)
  const chunks: string[] = []
  await Promise.all(pairs.map(({ socket }, index) => taken(socket, `from ${index}`.length, (chunk) => { chunks[index] = String(chunk) })))
  assert.deepEqual(chunks, pairs.map((_pair, index) => `from ${index}`))

  const [first, ...rest] = await lengthsOf(pairs[0]!, 200_000)
  assert.ok(first! <= 16 * 1024, `${first}`)
  assert.ok(Math.max(...rest) > 16 * 1024, `${rest}`)
})

test('shares them again after many small reads', async (t) => {
  const { socket, other } = await pair(t)
  await lengthsOf({ socket, other }, 200_000)
  for (let turn = 0; turn < 64; turn++) {
    other.write(`number ${turn % 10}`)
    await taken(socket, 8, (chunk) => { assert.equal(String(chunk), `number ${turn % 10}`) })
  }
  const [first, ...rest] = await lengthsOf({ socket, other }, 200_000)
  assert.ok(first! <= 16 * 1024, `${first}`)
  assert.ok(Math.max(...rest) > 16 * 1024, `${rest}`)
})

test('gives large reads that nobody takes back new memory each', async (t) => {
  const { socket, other } = await pair(t)
  const chunks: Buffer[] = []
  for (const byte of [1, 2, 3]) {
    other.write(Buffer.alloc(65536, byte))
    await taken(socket, 65536, (chunk) => chunks.push(chunk))
  }
  const bytes = Buffer.concat(chunks)
  assert.equal(bytes.length, 3 * 65536)
  for (const byte of [1, 2, 3]) assert.ok(bytes.subarray((byte - 1) * 65536, byte * 65536).every((value) => value === byte), `${byte}`)
})

test('reads into what it has been given back', async (t) => {
  const { socket, other } = await pair(t)
  const memories = new Set<ArrayBufferLike>()
  let large = 0
  for (let turn = 0; turn < 8; turn++) {
    other.write(Buffer.alloc(65536, turn))
    await taken(socket, 65536, (chunk) => {
      assert.ok(chunk.every((value) => value === turn))
      if (chunk.length <= 16 * 1024) return
      large++
      memories.add(chunk.buffer)
      socket.takeBack(chunk)
    })
  }
  assert.ok(large >= 8, `${large} large reads`)
  assert.equal(memories.size, 1)
})

test('reads more at a time where there is more, and into the same memory too', async (t) => {
  const { socket, other } = await pair(t)
  const memories = new Map<ArrayBufferLike, number>()
  let longest = 0
  other.write(Buffer.alloc(8 * 2 ** 20, 1))
  await taken(socket, 8 * 2 ** 20, (chunk) => {
    assert.ok(chunk.every((value) => value === 1))
    longest = Math.max(longest, chunk.length)
    memories.set(chunk.buffer, chunk.buffer.byteLength)
    socket.takeBack(chunk)
  })
  assert.ok(longest > 72 * 1024, `${longest} bytes at most`)
  // Of small reads there are copies.
  assert.ok([...memories.values()].filter((size) => size >= 72 * 1024).length <= 2)
})

test('takes back no chunk behind which the read goes on', async (t) => {
  const { socket, other } = await pair(t)
  const kept: Buffer[] = []
  for (const byte of [1, 2]) {
    other.write(Buffer.alloc(65536, byte))
    await taken(socket, 65536, (chunk) => {
      kept.push(chunk)
      if (chunk.length > 16 * 1024) socket.takeBack(chunk.subarray(0, 20_000))
    })
  }
  const bytes = Buffer.concat(kept)
  assert.ok(bytes.subarray(0, 65536).every((value) => value === 1))
})

test('stops while its reader pauses, gives the rest first, and goes on', async (t) => {
  const { socket, other } = await pair(t)
  const sent = Buffer.from(Array.from({ length: 300_000 }, (_, index) => index % 251))
  other.write(sent)
  const got: Buffer[] = []
  // A reader that takes half of each read and puts the rest back, as undici does when its own reader pauses.
  let isPaused = false
  socket.on('readable', () => {
    if (isPaused) return
    const chunk = socket.read()
    if (chunk === null) return
    got.push(chunk.subarray(0, chunk.length >> 1))
    isPaused = true
    socket.unshift(chunk.subarray(chunk.length >> 1))
    setImmediate(() => {
      isPaused = false
      for (let rest = socket.read(); rest !== null; rest = socket.read()) got.push(rest)
    })
  })
  while (Buffer.concat(got).length < sent.length) await new Promise((resolve) => setImmediate(resolve))
  assert.ok(Buffer.concat(got).equals(sent))
})

test('tells of its end, and of the other side\'s reset', async (t) => {
  const first = await pair(t)
  first.socket.on('readable', () => { first.socket.read() })
  const ended = once(first.socket, 'end')
  first.other.end('bye')
  await ended

  const second = await pair(t)
  const closed = new Promise((resolve) => second.socket.once('close', resolve))
  second.other.resetAndDestroy()
  await closed
  assert.equal((second.socket.errored as NodeJS.ErrnoException).code, 'ECONNRESET')
})

test('is a stream like any other for whoever takes it over, with what was left and with backpressure', async (t) => {
  const { socket, other } = await pair(t)
  other.write('head:rest')
  await once(socket, 'readable')
  socket.unshift(socket.read()!.subarray(5))
  socket.becomeStream()
  const sent = Buffer.from(Array.from({ length: 500_000 }, (_, index) => index % 251))
  other.write(sent)

  const got: Buffer[] = []
  socket.on('data', (chunk) => {
    got.push(chunk)
    socket.pause()
    setImmediate(() => socket.resume())
  })
  while (Buffer.concat(got).length < sent.length + 4) await new Promise((resolve) => setImmediate(resolve))

  assert.ok(Buffer.concat(got).equals(Buffer.concat([Buffer.from('rest'), sent])))
})

/** Which sockets Node was told to let go of, or to take hold of again. */
function told (t: TestContext, what: 'ref' | 'unref'): () => unknown[] {
  const { mock } = t.mock.method(Socket.prototype, what)
  return () => mock.calls.map((call) => call.this)
}

test('lets go of the event loop a moment after it is told to, with all that were, and takes hold of it at once', async (t) => {
  const [first, second, third] = [(await pair(t)).socket, (await pair(t)).socket, (await pair(t)).socket]
  const loose = told(t, 'unref')
  const held = told(t, 'ref')
  for (const socket of [first, second, third]) assert.equal(socket.unref(), socket)
  assert.deepEqual(loose(), [])
  assert.equal(second.ref(), second)
  third.destroy()
  await eventually('somebody is told', () => loose().length > 0)
  assert.deepEqual([loose().length, loose()[0] === first, held().length], [1, true, 0])
  first.ref()
  assert.deepEqual([held().length, held()[0] === first], [1, true])
})

test('a socket that is let go of again and again is looked at once in a while', async (t) => {
  const { socket } = await pair(t)
  const loose = told(t, 'unref')
  const held = told(t, 'ref')
  for (let count = 0; count < 10; count++) socket.unref().ref()
  socket.unref()
  await eventually('Node is told', () => loose().length > 0)
  assert.deepEqual([loose().length, held().length], [1, 0])
})

test('timers that an app\'s tests have put in the place of real ones keep no connection', async (t) => {
  const { socket } = await pair(t)
  const loose = told(t, 'unref')
  t.mock.timers.enable({ apis: ['setTimeout'] })
  socket.unref()
  t.mock.timers.reset()
  await eventually('Node is told', () => loose().length > 0)
  assert.ok(loose()[0] === socket)
})
