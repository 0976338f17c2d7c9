import assert from 'node:assert/strict'
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { test, type TestContext } from 'node:test'
import { connect, type Client } from '../helpers/client.ts'
import { answer, counted, origin, unread, type Origin, type Step } from '../helpers/origin.ts'

const MIB = 1024 * 1024
const SIZE = 100 * MIB
const LIMIT = 24 * MIB

interface Watched {
  port: number
  /** By how many bytes the proxy's process was larger at most, while `what` went on. */
  growth: (what: () => Promise<void>) => Promise<number>
}

async function startWatched (t: TestContext, upstream: Origin): Promise<Watched> {
  const child = fork(new URL('memory-proxy.js', import.meta.url), [upstream.url], { execArgv: [] })
  t.after(async () => {
    child.disconnect()
    await once(child, 'exit')
  })
  const port = await answerOf(child)
  return {
    port,
    async growth (what) {
      child.send('begin')
      await answerOf(child)
      await what()
      child.send('end')
      return answerOf(child)
    }
  }
}

async function answerOf (child: ChildProcess): Promise<number> {
  const [answer] = await once(child, 'message') as [number]
  return answer
}

const head = (method: string, headers: string = ''): string => `${method} /x HTTP/1.1\r\nHost: proxy.test\r\n${headers}\r\n`

async function send (client: Client, bytes: number): Promise<void> {
  const { socket } = client
  const piece = Buffer.alloc(MIB, 'x')
  for (let sent = 0; sent < bytes; sent += piece.length) {
    if (!socket.write(piece)) await once(socket, 'drain')
  }
}

function download (bytes: number): Step {
  return counted(async (_req, res) => {
    res.writeHead(200, { 'content-length': bytes })
    const piece = Buffer.alloc(MIB, 'x')
    for (let sent = 0; sent < bytes; sent += piece.length) {
      if (!res.write(piece)) await once(res, 'drain')
    }
    res.end()
  })
}

/** Code is compiled and buffers are there: what comes afterwards is the exchange's own. */
async function warmUp (t: TestContext, port: number): Promise<void> {
  for (const method of ['GET', 'POST']) {
    const client = await connect(t, port, { keep: false })
    const isOver = once(client.socket, 'close')
    client.write(head(method, `Connection: close\r\n${method === 'POST' ? `Content-Length: ${8 * MIB}\r\n` : ''}`))
    if (method === 'POST') await send(client, 8 * MIB)
    await isOver
  }
}

/** Reads so many bytes, in bursts with pauses between them. */
async function readSlowly (socket: Socket, bytes: number): Promise<number> {
  let received = 0
  let next = MIB
  socket.on('data', (chunk: Buffer) => {
    received += chunk.length
    if (received < next) return
    next += MIB
    socket.pause()
    setTimeout(() => socket.resume(), 10)
  })
  while (received < bytes) await once(socket, 'data')
  return received
}

test('a client that reads 100 MB slowly makes the proxy larger by less than 24 MB', async (t) => {
  const upstream = await origin(t, download(8 * MIB), answer(200), download(SIZE))
  const { port, growth } = await startWatched(t, upstream)
  await warmUp(t, port)
  const client = await connect(t, port, { keep: false })

  const grown = await growth(async () => {
    client.socket.pause()
    client.write(head('GET'))
    await upstream.arrived(3)
    // Long enough for everything that would be read ahead.
    await sleep(500)
    const received = await readSlowly(client.socket, SIZE)
    assert.ok(received > SIZE)
  })

  console.log(grown / MIB)
  assert.ok(grown < LIMIT, `${grown / MIB} MiB`)
})

test('an upload of 100 MB that the upstream does not read makes the proxy larger by less than 24 MB', async (t) => {
  const stalled: Step = unread(() => {})
  const upstream = await origin(t, download(8 * MIB), answer(200), stalled)
  const { port, growth } = await startWatched(t, upstream)
  await warmUp(t, port)
  const client = await connect(t, port, { keep: false })

  const grown = await growth(async () => {
    client.write(head('POST', `Content-Length: ${SIZE}\r\n`))
    const sending = send(client, SIZE)
    await upstream.arrived(3)
    await sleep(500)
    // Most of it is still with the client: nobody took it.
    assert.ok(client.socket.bytesWritten < SIZE / 2, String(client.socket.bytesWritten))
    client.socket.destroy()
    await sending.catch(() => {})
    await upstream.closed(3)
  })

  console.log(grown / MIB)
  assert.ok(grown < LIMIT, `${grown / MIB} MiB`)
})

test('an upload of 100 MB that the upstream reads slowly makes the proxy larger by less than 24 MB, and arrives whole', async (t) => {
  let received = 0
  const slow: Step = unread((req, res) => {
    let next = MIB
    req.on('data', (chunk: Buffer) => {
      received += chunk.length
      if (received < next) return
      next += MIB
      req.pause()
      setTimeout(() => req.resume(), 10)
    })
    req.on('end', () => { res.end('thanks') })
  })
  const upstream = await origin(t, download(8 * MIB), answer(200), slow)
  const { port, growth } = await startWatched(t, upstream)
  await warmUp(t, port)
  const client = await connect(t, port)

  const grown = await growth(async () => {
    client.write(head('POST', `Content-Length: ${SIZE}\r\n`))
    await send(client, SIZE)
    await once(client.socket, 'data')
    assert.equal((await client.response()).body.toString(), 'thanks')
  })

  assert.equal(received, SIZE)
  console.log(grown / MIB)
  assert.ok(grown < LIMIT, `${grown / MIB} MiB`)
})
