import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import type { HealthOptions } from '../../types/index.ts'
import { fairly, promptly } from '../helpers/fair.ts'
import { answer, origin, refusedPort, type Step } from '../helpers/origin.ts'
import { start, type Started } from '../helpers/proxy.ts'

/** Speaks what it is told to on every connection. */
async function speaker (t: TestContext, speak: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>()
  const server: Server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {}).on('close', () => sockets.delete(socket))
    socket.once('data', () => speak(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const quick: HealthOptions = { path: '/up', interval: 100, timeout: 1500, fall: 1, waitForHealthy: 4000 }

function startOver (t: TestContext, endpoints: string[], health: HealthOptions = quick): Promise<Started> {
  return start(t, { upstreams: { some: { endpoints, health } }, routes: [{ url: '/*', upstream: 'some' }] })
}

/** Answers checks and everything else each in its own way. */
function byPath (check: Step, rest: Step): Step {
  return (req, res, n) => (req.url === '/up' ? check : rest)(req, res, n)
}

test('a check says that it is one, and goes where it was sent', async (t) => {
  const up = await origin(t, answer(200, 'ok'))
  await startOver(t, [up.url + '/base'], { ...quick, path: '/up?deep', headers: { authorization: 'Bearer x' } })
  const [check] = up.requests
  assert.deepEqual([check!.method, check!.url, check!.headers['x-health-probe'], check!.headers['authorization'], check!.headers.host], ['GET', '/base/up?deep', 'true', 'Bearer x', new URL(up.url).host])
})

test('HEAD is asked for as HEAD', async (t) => {
  const up = await origin(t, answer(200))
  await startOver(t, [up.url], { ...quick, method: 'HEAD' })
  assert.equal(up.requests[0]!.method, 'HEAD')
})

const failing: [what: string, speak: (socket: Socket) => void][] = [
  ['is garbage', (socket) => socket.end('SSH-2.0-OpenSSH_9.6\r\n')],
  ['never comes', () => {}],
  ['stops behind its head', (socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf')],
  ['is a redirect', (socket) => socket.end('HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n')],
  ['is an error', (socket) => socket.end('HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n')],
  ['is an end', (socket) => socket.destroy()],
  ['is only ever to come', (socket) => socket.write('HTTP/1.1 100 Continue\r\n\r\n')]
]

for (const [what, speak] of failing) {
  test(`an endpoint whose answer to a check ${what} gets no traffic`, (t) => fairly(200, async () => {
    const well = await origin(t, answer(200, 'well'))
    const proxy = await startOver(t, [await speaker(t, speak), well.url])
    for (let count = 0; count < 10; count++) assert.equal((await proxy.get('/')).body, 'well')
    const { endpoints, available } = proxy.app.proxy.stats().upstreams['some']!
    assert.deepEqual(endpoints.map(({ health }) => health), ['unhealthy', 'healthy'])
    assert.equal(available, 1)
  }))
}

test('an endpoint that refuses connections is known before the app is ready', (t) => fairly(200, async () => {
  const well = await origin(t, answer(200, 'well'))
  const proxy = await startOver(t, [`http://127.0.0.1:${await refusedPort()}`, well.url])
  for (let count = 0; count < 10; count++) assert.equal((await proxy.get('/')).body, 'well')
  assert.deepEqual((await proxy.line()).attempts, 1)
}))

test('an endpoint is back when its checks pass again', (t) => fairly(200, async () => {
  let isUp = false
  const sick = await origin(t, byPath((req, res, n) => answer(isUp ? 200 : 503)(req, res, n), answer(200, 'sick')))
  const well = await origin(t, answer(200, 'well'))
  const proxy = await startOver(t, [sick.url, well.url])
  assert.equal((await proxy.get('/')).body, 'well')
  isUp = true
  const { promise, resolve } = withResolvers()
  const timer = setInterval(() => { if (proxy.app.proxy.stats().upstreams['some']!.available === 2) resolve() }, 5)
  t.after(() => clearInterval(timer))
  await promise
  const bodies = new Set<string>()
  for (let count = 0; count < 40; count++) bodies.add((await proxy.get('/')).body)
  assert.deepEqual([...bodies].sort(), ['sick', 'well'])
}))

function withResolvers (): { promise: Promise<void>, resolve: () => void } {
  let resolve!: () => void
  const promise = new Promise<void>((_resolve) => { resolve = _resolve })
  return { promise, resolve }
}

test('with nothing healthy all are used: what judges so is likelier to be wrong', async (t) => {
  const sick = await origin(t, byPath(answer(503), answer(200, 'still here')))
  const proxy = await startOver(t, [sick.url])
  assert.equal(proxy.app.proxy.stats().upstreams['some']!.isPanic, true)
  assert.equal((await proxy.get('/')).body, 'still here')
})

test('checks end with the app, one that hangs too', async (t) => {
  const url = await speaker(t, () => {})
  const proxy = await startOver(t, [url], { interval: 60_000, timeout: 60_000 })
  assert.ok(await promptly(() => proxy.app.close()) < 1500)
})
