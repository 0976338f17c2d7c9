import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Readable } from 'node:stream'
import { ServerResponse } from 'node:http'
import test, { type TestContext } from 'node:test'
import Fastify, { type FastifyInstance, type FastifyReply } from 'fastify'
import { connect, request } from '../helpers/client.ts'
import { Bell } from '../helpers/until.ts'

/*
 * What lib leans on in how Fastify sends a response.
 */

interface Answering { url: string, port: number, bell: Bell }

async function answering (t: TestContext, answer: (reply: FastifyReply) => void): Promise<Answering> {
  const app = Fastify() as FastifyInstance
  const bell = new Bell()
  t.after(() => app.close())
  app.all('/', (_request, reply) => {
    answer(reply)
    bell.ring()
  })
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as { port: number }
  return { bell, port, url: `http://127.0.0.1:${port}` }
}

test('nothing sent to HEAD keeps the content-length that was set', async (t) => {
  const { url } = await answering(t, (reply) => { reply.header('content-length', '1234').header('content-type', 'text/plain').send(undefined) })

  const { status, headers } = await request(url, { method: 'HEAD' })

  assert.deepEqual([status, headers['content-length']], [200, '1234'])
})

test('nothing sent to GET has no length, whatever was set', async (t) => {
  const { url } = await answering(t, (reply) => { reply.send(undefined) })

  const { headers, body } = await request(url)

  assert.deepEqual([headers['content-length'], body], ['0', ''])
})

test('a buffer without a content type is given one, a stream is not', async (t) => {
  const { url } = await answering(t, (reply) => { reply.send((reply.request.query as { stream?: string }).stream === undefined ? Buffer.from('a') : Readable.from(['a'])) })

  assert.equal((await request(url)).headers['content-type'], 'application/octet-stream')
  assert.equal((await request(`${url}/?stream`)).headers['content-type'], undefined)
})

test('a buffer with a content type goes out as it is, its length with it', async (t) => {
  const { url } = await answering(t, (reply) => { reply.header('content-type', 'application/json').send(Buffer.from('{"a":')) })

  const { headers, body } = await request(url)

  assert.deepEqual([headers['content-type'], headers['content-length'], body], ['application/json', '5', '{"a":'])
})

test('a stream is piped into the raw response, with nobody listening to it, once the headers are there and before they are sent', async (t) => {
  const seen: unknown[] = []
  class Watched extends Readable {
    override _read (): void {
      this.push('a')
      this.push(null)
    }

    override pipe<T extends NodeJS.WritableStream> (destination: T, options?: { end?: boolean }): T {
      assert.ok(destination instanceof ServerResponse)
      seen.push(destination.getHeader('x-a'), destination.statusCode, destination.headersSent, this.listenerCount('data'), options?.end)
      return super.pipe(destination, options)
    }
  }
  const { url } = await answering(t, (reply) => { reply.code(202).header('x-a', '1').send(new Watched()) })

  assert.equal((await request(url)).body, 'a')
  assert.deepEqual(seen, ['1', 202, false, 0, undefined])
})

// Not Fastify's doing but that of node:http underneath.
for (const [how, bytes] of [['an empty write', 'x: \xe4'], ['flushHeaders', 'x: \xc3\xa4']] as const) {
  test(`the head goes out at once with ${how}, a byte above ASCII in it as ${bytes.length - 3}`, async (t) => {
    let end = (): void => {}
    const { port } = await answering(t, (reply) => {
      reply.hijack()
      reply.raw.writeHead(200, { x: '\xe4', 'content-length': '2' })
      if (how === 'flushHeaders') reply.raw.flushHeaders()
      else reply.raw.write(new Uint8Array(0))
      end = () => { reply.raw.end('ok') }
    })
    const client = await connect(t, port)

    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await client.until('\r\n\r\n')
    assert.ok(client.received.includes(`\r\n${bytes}\r\n`, 0, 'latin1'), client.received.toString('latin1'))
    end()

    assert.equal((await client.response()).body.toString(), 'ok')
  })
}

test('a stream that fails behind the head takes the client\'s connection with it', async (t) => {
  const { port } = await answering(t, (reply) => {
    const stream = new Readable({ read () {} })
    stream.push('a')
    reply.raw.once('pipe', () => { setImmediate(() => { stream.destroy(new Error('broken')) }) })
    reply.send(stream)
  })
  const client = await connect(t, port)

  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')

  assert.equal((await client.response()).complete, false)
})

test('what was set before an error is sent goes out with it, but for its type and length', async (t) => {
  const { url } = await answering(t, (reply) => {
    reply.header('retry-after', '1').header('proxy-status', 'x').header('connection', 'close').send(Object.assign(new Error('no'), { statusCode: 503 }))
  })

  const { status, headers } = await request(url)

  assert.deepEqual([status, headers['retry-after'], headers['proxy-status'], headers['connection']], [503, '1', 'x', 'close'])
})

test('a status above 599 is refused by code(), with a throw', async (t) => {
  let thrown: unknown
  const { url } = await answering(t, (reply) => {
    try {
      reply.code(600)
    } catch (error) {
      thrown = error
    }
    reply.send('ok')
  })

  await request(url)

  assert.equal((thrown as { code?: string }).code, 'FST_ERR_BAD_STATUS_CODE')
})

test('Set-Cookie is added to by header(), every other is replaced', async (t) => {
  const { url } = await answering(t, (reply) => {
    reply.header('set-cookie', 'a=1').header('x-a', '1')
    reply.header('set-cookie', ['b=2', 'c=3']).header('x-a', '2')
    reply.send('ok')
  })

  const { headers } = await request(url)

  assert.deepEqual([headers['set-cookie'], headers['x-a']], [['a=1', 'b=2', 'c=3'], '2'])
})

test('a handler that returns nothing leaves the reply to whoever sends it', async (t) => {
  const { url } = await answering(t, (reply) => { setImmediate(() => { reply.send('late') }) })

  assert.equal((await request(url)).body, 'late')
})

for (const [what, leave] of Object.entries<(client: Awaited<ReturnType<typeof connect>>) => void>({ stays: () => {}, 'goes with a reset': (client) => { client.reset() }, 'goes in peace': (client) => { client.socket.end() } })) {
  test(`the response says 'close' once when its client ${what}, and by writableFinished whether it was through`, async (t) => {
    const closes: boolean[] = []
    let send: (() => void) | null = null
    const { port, bell } = await answering(t, (reply) => {
      reply.raw.on('close', () => {
        closes.push(reply.raw.writableFinished)
        bell.ring()
      })
      send = () => { reply.send('ok') }
    })
    const client = await connect(t, port)

    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    const sendIt = await bell.until('the request', () => send)
    if (what === 'stays') sendIt()
    leave(client)
    await bell.until('the close', () => closes.length > 0)
    // Whatever else would come of it has come.
    client.socket.destroy()
    await new Promise((resolve) => setImmediate(resolve))

    assert.deepEqual(closes, [what === 'stays'])
  })
}

test('a reply that somebody else has sent says so at once', async (t) => {
  const seen: boolean[] = []
  const { url } = await answering(t, (reply) => {
    seen.push(reply.sent)
    reply.send('ok')
    seen.push(reply.sent)
  })

  await request(url)

  assert.deepEqual(seen, [false, true])
})

test('a 499 that is sent to a client who has left runs onSend', async (t) => {
  const sent: number[] = []
  const bell = new Bell()
  const app = Fastify()
  t.after(() => app.close())
  app.addHook('onSend', async (_request, reply) => {
    sent.push(reply.statusCode)
    bell.ring()
  })
  app.get('/', (_request, reply) => { reply.raw.once('close', () => { reply.code(499).send() }) })
  await app.listen({ port: 0, host: '127.0.0.1' })
  const client = await connect(t, (app.server.address() as { port: number }).port)

  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await once(app.server, 'request')
  client.reset()
  await bell.until('onSend', () => sent.length > 0)

  assert.deepEqual(sent, [499])
})
