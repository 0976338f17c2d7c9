import assert from 'node:assert/strict'
import test from 'node:test'
import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { connect, type RawResponse } from '../helpers/client.ts'
import { answer, hang, origin } from '../helpers/origin.ts'
import { start } from '../helpers/proxy.ts'

test('answers the requests of a pipeline in their order, whichever is ready first', async (t) => {
  const waiting = new Map<string, ServerResponse>()
  const upstream = await origin(t, (req, res) => { waiting.set(req.url!, res) })
  const app = await start(t, { upstream: upstream.url })
  const client = await connect(t, app.port)
  const count = 50
  const paths = Array.from({ length: count }, (_, index) => `/${index}`)

  client.write(paths.map((path) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`).join(''))
  await upstream.arrived(count)
  // Last come, first served; every third with a body that does not come whole.
  for (const [index, path] of [...paths].reverse().entries()) {
    const res = waiting.get(path)!
    if (index % 3 === 0) {
      res.write('x'.repeat(100_000))
      setImmediate(() => { res.end(path) })
    } else {
      res.end(path)
    }
  }

  const responses: RawResponse[] = []
  for (let index = 0; index < count; index++) responses.push(await client.response())
  assert.deepEqual(responses.map(({ body }) => body.toString().replace(/^x+/, '')), paths)
})

test('a client that leaves takes all of its pipeline along', async (t) => {
  const upstream = await origin(t, hang())
  const app = await start(t, { upstream: upstream.url })
  const client = await connect(t, app.port)
  const count = 20

  client.write('GET /x HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(count))
  await upstream.arrived(count)
  client.reset()

  await upstream.closed(count)
  for (let index = 0; index < count; index++) assert.equal((await app.line())['status'], 499)
})

test('a pipeline leaves no listener behind on its connection', async (t) => {
  const upstream = await origin(t, answer(200))
  const sockets: Socket[] = []
  const app = await start(t, { upstream: upstream.url }, { before: (app) => { app.server.on('connection', (socket: Socket) => { sockets.push(socket) }) } })
  const client = await connect(t, app.port)

  const counts: number[] = []
  for (let round = 0; round < 5; round++) {
    client.write('GET /x HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(20))
    for (let index = 0; index < 20; index++) await client.response()
    counts.push(sockets[0]!.listenerCount('close'))
  }

  assert.deepEqual(counts, counts.map(() => counts[0]))
})

test('a pipeline of bodies stays in step', async (t) => {
  const upstream = await origin(t, (req, res) => {
    let length = 0
    req.on('data', (chunk: Buffer) => { length += chunk.length })
    req.on('end', () => { res.end(`${req.url} ${length}`) })
  })
  const app = await start(t, { upstream: upstream.url })
  const client = await connect(t, app.port)

  client.write(
    `POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n${'a'.repeat(100_000)}` +
    'POST /b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n' +
    'HEAD /c HTTP/1.1\r\nHost: x\r\n\r\n' +
    'GET /d HTTP/1.1\r\nHost: x\r\nContent-Length: 14\r\n\r\nGET /no HTTP/1' +
    'GET /e HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'
  )
  const bodies: string[] = []
  for (const method of ['POST', 'POST', 'HEAD', 'GET', 'GET']) bodies.push((await client.response({ head: method === 'HEAD' })).body.toString())
  await client.closed

  assert.deepEqual(bodies, ['/a 100000', '/b 5', '', '/d 14', '/e 0'])
  assert.ok(!upstream.requests.some(({ url }) => url === '/no'))
})

test('an error in the middle of a pipeline is answered in its place', async (t) => {
  const upstream = await origin(t, (req, res) => { req.url === '/cut' ? req.socket.destroy() : res.end(req.url) })
  const app = await start(t, { upstream: upstream.url })
  const client = await connect(t, app.port)

  client.write(['/a', '/cut', '/..;/b', '/c'].map((path) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`).join(''))
  const responses: RawResponse[] = []
  for (let index = 0; index < 4; index++) responses.push(await client.response())

  assert.deepEqual(responses.map(({ status }) => status), [200, 502, 400, 200])
  assert.equal(responses[3]!.body.toString(), '/c')
})
