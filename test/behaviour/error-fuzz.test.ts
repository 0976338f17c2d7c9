import assert from 'node:assert/strict'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { test, type TestContext } from 'node:test'
import { connect } from '../helpers/client.ts'
import { fairly } from '../helpers/fair.ts'
import { answer, collectHead, counted, origin, rawOrigin } from '../helpers/origin.ts'
import { isAccessLine, start, type Started } from '../helpers/proxy.ts'
import { eventually } from '../helpers/until.ts'

const TIMES = 400
const AT_ONCE = 20
/** The same failures every time: a run that fails can be repeated. */
const SEED = 20260704

/** mulberry32 */
function randomly (seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

const random = randomly(SEED)
const below = (n: number): number => Math.floor(random() * n)
const oneOf = <T>(list: readonly T[]): T => list[below(list.length)]!
const anyByte = (): string => String.fromCharCode(below(256))

const requests = [
  'GET /x?y=1 HTTP/1.1\r\nHost: proxy.test\r\nAccept: */*\r\nCookie: a=b; c=d\r\n\r\n',
  'POST /x HTTP/1.1\r\nHost: proxy.test\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n{"some": "x"}',
  'POST /x HTTP/1.1\r\nHost: proxy.test\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n5;a=b\r\nhello\r\n3\r\nyou\r\n0\r\nX-Sum: 1\r\n\r\n',
  'PUT /a/../b HTTP/1.1\r\nHost: proxy.test\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\nbody',
  'HEAD //x@y HTTP/1.0\r\nConnection: keep-alive, x-a\r\nX-A: b\r\n\r\n',
  'GET http://other.test/x HTTP/1.1\r\nHost: proxy.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: x\r\n\r\n',
  'OPTIONS * HTTP/1.1\r\nHost: proxy.test\r\nTraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\r\n',
  'DELETE /x HTTP/1.1\r\nHost: proxy.test\r\nVia: 1.1 sluice\r\nForwarded: for="[::1]:80\r\nX-Forwarded-For: a, ,b\r\nContent-Length: 2\r\n\r\nhi'
]

const responses = [
  'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n',
  'HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 302 Found\r\nLocation: /y\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\nContent-Length: 0\r\n\r\n',
  'HTTP/1.1 204 No Content\r\nConnection: close, x-a\r\nX-A: b\r\n\r\n',
  'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\nContent-Length: 10\r\n\r\n',
  'HTTP/1.0 200 OK\r\n\r\nuntil the end',
  'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n',
  'HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nProxy-Status: other; error=x\r\nKeep-Alive: timeout=1\r\nContent-Length: 2\r\n\r\nno'
]

const framings = ['Content-Length: 3', 'Content-Length: -1', 'Content-Length: 99999999999999999999', 'Transfer-Encoding: chunked', 'Transfer-Encoding: gzip, chunked', 'Transfer-Encoding: chunked, identity', 'Transfer-Encoding:', 'Host: other.test', 'Connection: content-length', ' folded: line', 'Upgrade: h2c', 'Content-Encoding: \xff']

/** One of these each, up to four times. */
const mutations: ((text: string) => string)[] = [
  (text) => { const at = below(text.length); return text.slice(0, at) + anyByte() + text.slice(at) },
  (text) => { const at = below(text.length); return text.slice(0, at) + anyByte() + text.slice(at + 1) },
  (text) => { const at = below(text.length); return text.slice(0, at) + text.slice(at + 1 + below(8)) },
  (text) => text.slice(0, below(text.length)),
  (text) => text.replace('\r\n', oneOf(['\n', '\r', '\r\n\r\n', '\r\r\n', '\0'])),
  (text) => text.replace('\r\n', `\r\n${oneOf(framings)}\r\n`),
  (text) => text.replace('\r\n', `\r\nX-Long: ${'x'.repeat(below(40_000))}\r\n`),
  (text) => text.replace(/\d+/, oneOf(['0', '00', '-1', '1e3', '999', '0x10', '4294967296', '+5', '101', '099', '700'])),
  (text) => text.replace(/: ?/, oneOf([':', ' : ', ':\t', ':: ', ''])),
  (text) => text + text,
  (text) => text + Array.from({ length: below(40) }, anyByte).join('')
]

function mutated (text: string): string {
  for (let n = below(4); n >= 0; n--) text = oneOf(mutations)(text)
  return text
}

/** What would end a process that does not listen for it. */
function watchProcess (t: TestContext): unknown[] {
  const escaped: unknown[] = []
  const note = (error: unknown): void => { escaped.push(error) }
  process.on('uncaughtExceptionMonitor', note)
  process.on('unhandledRejection', note)
  t.after(() => {
    process.off('uncaughtExceptionMonitor', note)
    process.off('unhandledRejection', note)
  })
  return escaped
}

interface Saying {
  readonly text: string
  /** Where it is cut in two. */
  readonly cut: number
  /** What becomes of the connection: less than 0.5 is a reset. */
  readonly fate: number
}

/** All of it beforehand: the order in which things happen is another each time. */
function plan (text: () => string): Saying[] {
  return Array.from({ length: TIMES }, () => {
    const saying = text()
    return { text: saying, cut: below(saying.length), fate: random() }
  })
}

/** Says it, in pieces, and is content with any answer, with none in time, and with being cut off. */
async function say (t: TestContext, proxy: Started, { text, cut, fate }: Saying): Promise<void> {
  const client = await connect(t, proxy.port)
  client.socket.on('error', () => {})
  client.write(text.slice(0, cut))
  await new Promise(setImmediate)
  client.write(text.slice(cut))
  const response = client.response().catch(() => {})
  await Promise.race([response, client.closed, sleep(200)])
  if (fate < 0.5 && client.socket.writable) client.reset()
  else client.socket.destroy()
}

async function all (sayings: Saying[], act: (saying: Saying) => Promise<void>): Promise<void> {
  let next = 0
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    while (next < sayings.length) await act(sayings[next++]!)
  }))
}

async function assertWell (proxy: Started, escaped: unknown[]): Promise<void> {
  const endpoints = [...proxy.app.proxy.snapshot!.upstreams.values()].flatMap(({ state }) => state.endpoints)
  await eventually('the end of all exchanges', () => endpoints.every(({ active }) => active === 0))
  assert.deepEqual(escaped, [])
  // Its timeouts are short, and cleaning up behind so many takes its time.
  await fairly(50, async () => {
    const well = await proxy.get('/well')
    assert.deepEqual([well.status, well.body], [200, 'well'])
  })
  // Nobody has been told what only the log should know, and no failure was one of the proxy's own.
  const lines = proxy.logs.filter(isAccessLine)
  assert.ok(lines.length > TIMES / 8)
  assert.deepEqual(lines.filter(({ error }) => error === 'internal_error').map(({ err }) => err), [])
  assert.equal(new Set(lines.map(({ reqId }) => reqId)).size, lines.length)
}

const timeouts = { head: 150, idle: 150, write: 150 }

test('nothing that a client sends throws out of the proxy, stops it, or reaches the upstream malformed', async (t) => {
  const escaped = watchProcess(t)
  const upstream = await origin(t, counted(answer(200, 'well')))
  const faults: string[] = []
  upstream.server.on('clientError', (error: NodeJS.ErrnoException) => { faults.push(error.code ?? error.message) })
  const proxy = await start(t, { upstream: upstream.url, timeouts })

  await all(plan(() => mutated(oneOf(requests))), (saying) => say(t, proxy, saying))

  await assertWell(proxy, escaped)
  // Requests are given up in the middle, and a head may be too large for the upstream with our part in it; but all was in order.
  const orderly = ['ECONNRESET', 'EPIPE', 'HPE_INVALID_EOF_STATE', 'HPE_HEADER_OVERFLOW']
  assert.deepEqual(faults.filter((code) => !orderly.includes(code)), [])
})

test('nothing that an upstream sends throws out of the proxy, or stops it', async (t) => {
  const escaped = watchProcess(t)
  const well = await origin(t, answer(200, 'well'))
  const answers = plan(() => mutated(oneOf(responses)))
  const questions = plan(() => oneOf(['GET', 'GET', 'HEAD', 'POST']) + ' /x HTTP/1.1\r\nHost: proxy.test\r\n\r\n')
  let next = 0
  const upstream = await rawOrigin(t, async (socket) => {
    try {
      for (;;) {
        await collectHead(socket)
        const { text, fate } = answers[next++ % TIMES]!
        socket.write(text, 'latin1')
        if (fate < 0.3) socket.end()
        else if (fate < 0.5 && socket.writable) socket.resetAndDestroy()
      }
    } catch {
      // The proxy has closed: enough of this one.
      socket.destroy()
    }
  })
  const proxy = await start(t, {
    defaults: { timeouts },
    routes: [{ url: '/well', upstream: well.url }, { url: '/*', upstream: upstream.url }]
  })

  await all(questions, (saying) => say(t, proxy, saying))

  await assertWell(proxy, escaped)
})
