import assert from 'node:assert/strict'
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import process from 'node:process'
import { test } from 'node:test'
import { connect as connectSocket, type Socket } from 'node:net'
import { counted, origin, type Origin, type Step } from '../helpers/origin.ts'
import { eventually } from '../helpers/until.ts'

// In CI it is to be seen that nothing is left; how little "nothing" is takes more of them.
const isSoak = process.env['SLUICE_SOAK'] === '1'
const CONNECTIONS = isSoak ? 100_000 : 2000
const ABORTS = isSoak ? 1000 : 100
const AT_ONCE = 20
/** Bytes. An exchange takes some five thousand. */
const HELD = isSoak ? 4 * 1024 * 1024 : 2 * 1024 * 1024

const routes: Record<string, Step> = {
  '/answer': (_req, res) => { res.end('ok') },
  '/hang': () => {},
  '/drip': (_req, res) => { res.write('more') },
  '/upload': (req) => { req.resume() }
}
const step: Step = counted((req, res, n) => { routes[req.url!]!(req, res, n) })

async function ask (child: ChildProcess, question: string): Promise<unknown> {
  const answered = once(child, 'message') as Promise<[unknown]>
  child.send(question)
  return (await answered)[0]
}

/** Of a connection that the other end closed, a process hears when it hears of it. */
async function leftIn (child: ChildProcess): Promise<object> {
  let left: { resources: string[] } = { resources: [] }
  await eventually(() => `the end of ${left.resources.join()}`, async () => {
    left = await ask(child, 'left') as typeof left
    return !left.resources.includes('TCPSocketWrap')
  })
  return left
}

async function open (port: number): Promise<Socket> {
  const socket = connectSocket(port, '127.0.0.1')
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}

const head = (path: string, headers: string): string => `${path === '/upload' ? 'POST' : 'GET'} ${path} HTTP/1.1\r\nHost: proxy.test\r\n${headers}\r\n\r\n`

async function converse (port: number): Promise<void> {
  const socket = await open(port)
  const closed = once(socket, 'close')
  socket.resume()
  socket.write(head('/answer', 'Connection: close'))
  await closed
}

const phases: [path: string, headers: string][] = [['/hang', 'X: y'], ['/drip', 'X: y'], ['/upload', 'Content-Length: 1000\r\n\r\nhalf']]

async function leave (port: number, n: number, upstream: Origin): Promise<void> {
  const socket = await open(port)
  const [path, headers] = phases[n % phases.length]!
  const before = upstream.hits
  socket.write(head(path, headers))
  if (path === '/drip') await once(socket, 'data')
  else await upstream.until('the request', () => upstream.hits > before)
  if (n % 2 === 0) socket.destroy()
  else socket.resetAndDestroy()
}

async function many (times: number, act: (n: number) => Promise<void>): Promise<void> {
  let next = 0
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    while (next < times) await act(next++)
  }))
}

test(`${CONNECTIONS} short connections and ${ABORTS} clients that leave in the middle leave nothing behind`, async (t) => {
  const upstream = await origin(t, step)
  const child = fork(new URL('memory-proxy.js', import.meta.url), [JSON.stringify({
    upstream: { endpoints: [upstream.url], pool: { keepAliveTimeout: 500 } }
  })], { execArgv: [] })
  t.after(async () => {
    const exited = once(child, 'exit')
    child.disconnect()
    await exited
  })
  const [port] = await once(child, 'message') as [number]
  const spend = async (connections: number, aborts: number): Promise<void> => {
    await many(connections, () => converse(port))
    upstream.forget()
    for (let n = 0; n < aborts; n++) await leave(port, n, upstream)
    upstream.forget()
    // The idle ones go by themselves.
    await upstream.idle()
  }
  await spend(500, 12)
  const before = await leftIn(child)
  await ask(child, 'begin')

  await spend(CONNECTIONS, ABORTS)

  const held = await ask(child, 'held') as number
  await ask(child, 'end')
  assert.deepEqual(await leftIn(child), before)
  assert.deepEqual(before, { ...before, resources: ['TCPServerWrap'], active: [0], warnings: [] })
  assert.ok(held < HELD, `holds ${held} bytes`)
})
