import assert from 'node:assert/strict'
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { test, type TestContext } from 'node:test'
import { connect, type Client } from '../helpers/client.ts'
import { answer, counted, origin, unread, type Origin, type Step } from '../helpers/origin.ts'
import { assertGrowsLess } from './memory-measure.ts'

const MIB = 1024 * 1024
const SIZE = 100 * MIB
/** What the process may grow by, garbage that nobody has collected yet included. */
const GROWTH = 24 * MIB
/** What may be referred to while nothing moves: a few buffers. */
const HELD = 2 * MIB

class Watched {
  readonly #child: ChildProcess
  port = 0

  constructor (child: ChildProcess) {
    this.#child = child
  }

  async ask (question: 'begin' | 'peak' | 'held' | 'end'): Promise<number> {
    this.#child.send(question)
    return this.answer()
  }

  async answer (): Promise<number> {
    const [answer] = await once(this.#child, 'message') as [number]
    return answer
  }
}

const head = (method: string, headers: string = ''): string => `${method} /x HTTP/1.1\r\nHost: proxy.test\r\n${headers}\r\n`
const download = (bytes: number): Step => counted(async (_req, res) => {
  res.writeHead(200, { 'content-length': bytes })
  const piece = Buffer.alloc(MIB, 'x')
  for (let sent = 0; sent < bytes; sent += piece.length) {
    if (!res.write(piece)) await once(res, 'drain')
  }
  res.end()
})

async function send (client: Client, bytes: number): Promise<void> {
  const { socket } = client
  const piece = Buffer.alloc(MIB, 'x')
  for (let sent = 0; sent < bytes; sent += piece.length) {
    if (!socket.write(piece)) await once(socket, 'drain')
  }
}

/**
 * A proxy that has been through as much before, at full speed: its code is compiled, and it is as large as the garbage makes it
 * that such a transfer leaves until it is collected. What comes on top of that is kept, not left.
 */
async function startWarm (t: TestContext, step: Step, from: 'begin' | 'peak' = 'begin'): Promise<{ watched: Watched, upstream: Origin }> {
  const upstream = await origin(t, download(SIZE), counted(answer(200)), step)
  const child = fork(new URL('memory-proxy.js', import.meta.url), [JSON.stringify({ upstream: upstream.url })], { execArgv: [] })
  t.after(async () => {
    const exited = once(child, 'exit')
    child.disconnect()
    await exited
  })
  const watched = new Watched(child)
  watched.port = await watched.answer()
  for (const method of ['GET', 'POST']) {
    const client = await connect(t, watched.port, { keep: false })
    const isOver = once(client.socket, 'close')
    client.write(head(method, `Connection: close\r\n${method === 'POST' ? `Content-Length: ${SIZE}\r\n` : ''}`))
    if (method === 'POST') await send(client, SIZE)
    await isOver
  }
  await watched.ask(from)
  return { watched, upstream }
}

/** Long enough for everything to come to a stop that can go on without the one who does not. */
async function assertHolding (watched: Watched): Promise<void> {
  await sleep(500)
  let held = await watched.ask('held')
  // V8 frees the memory of buffers when it comes to it: what is garbage goes sooner or later, what is kept stays.
  for (let time = 0; time < 20 && held >= HELD; time++) {
    await sleep(100)
    held = await watched.ask('held')
  }
  assert.ok(held < HELD, `holds ${held / MIB} MiB`)
}

/** Reads so many bytes, in bursts with pauses between them. */
async function readSlowly (socket: Socket, bytes: number): Promise<void> {
  let received = 0
  let next = MIB
  socket.on('data', (chunk: Buffer) => {
    received += chunk.length
    if (received < next) return
    next += MIB
    socket.pause()
    setTimeout(() => socket.resume(), 10)
  })
  socket.resume()
  while (received < bytes) await once(socket, 'data')
}

test('a client that reads 100 MB slowly makes the proxy larger by less than 24 MB', (t) => assertGrowsLess(GROWTH, async () => {
  const { watched, upstream } = await startWarm(t, download(SIZE))
  const client = await connect(t, watched.port, { keep: false })

  client.socket.pause()
  client.write(head('GET'))
  await upstream.arrived(3)
  await assertHolding(watched)
  await readSlowly(client.socket, SIZE)

  return watched.ask('end')
}))

test('an upload of 100 MB that the upstream does not read makes the proxy larger by less than 24 MB', (t) => assertGrowsLess(GROWTH, async () => {
  const { watched, upstream } = await startWarm(t, unread(() => {}))
  const client = await connect(t, watched.port, { keep: false })

  client.write(head('POST', `Content-Length: ${SIZE}\r\n`))
  const sending = send(client, SIZE)
  await upstream.arrived(3)
  await assertHolding(watched)
  const grown = await watched.ask('end')

  // Most of it is still with the client: nobody took it.
  assert.ok(client.socket.writableLength > 0)
  assert.ok(client.socket.bytesWritten < SIZE / 2, String(client.socket.bytesWritten))
  client.socket.destroy(new Error('enough'))
  await assert.rejects(sending, /enough/)
  return grown
}))

test('an upload of 100 MB that the upstream reads slowly makes the proxy larger by less than 24 MB, and arrives whole', (t) => assertGrowsLess(GROWTH, async () => {
  let received = 0
  const { watched } = await startWarm(t, unread((req, res) => {
    let next = MIB
    req.on('data', (chunk: Buffer) => {
      received += chunk.length
      if (received < next) return
      next += MIB
      req.pause()
      setTimeout(() => req.resume(), 10)
    })
    req.on('end', () => { res.end('thanks') })
    // Every 64 KiB of it were new memory to Node's parser, and V8 lets 32 MiB of those lie before it collects them; at full speed too.
  }), 'peak')
  const client = await connect(t, watched.port)

  client.write(head('POST', `Content-Length: ${SIZE}\r\n`))
  await send(client, SIZE)
  await client.until('thanks')

  assert.equal(received, SIZE)
  return watched.ask('end')
}))
