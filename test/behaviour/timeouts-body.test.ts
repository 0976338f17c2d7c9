import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connect } from '../helpers/client.ts'
import { fairly } from '../helpers/fair.ts'
import { drip, origin, rawOrigin, type Step } from '../helpers/origin.ts'
import { assertOneLine, get, startSick } from './error-outcome.ts'
import { assertOnTime } from './timeouts-measure.ts'

/** Notes when it said its last. */
function thenSilence (chunks: string[], headers: Record<string, string>, note: (at: number) => void): Step {
  return (_req, res) => {
    res.writeHead(200, headers)
    res.flushHeaders()
    for (const chunk of chunks) res.write(chunk)
    note(performance.now())
  }
}

const cases: [what: string, chunks: string[], headers: Record<string, string>][] = [
  ['before its first byte', [], {}],
  ['in the middle of its length', ['half'], { 'content-length': '8' }],
  ['between two chunks', ['some', 'more'], {}],
  ['between two server-sent events', ['data: 1\n\n'], { 'content-type': 'text/event-stream' }]
]

for (const [what, chunks, headers] of cases) {
  test(`cuts the client off when the upstream falls silent ${what} for the idle timeout, within 50 ms`, async (t) => {
    let silentAt = 0
    const upstream = await origin(t, thenSilence(chunks, headers, (at) => { silentAt = at }))
    const proxy = await startSick(t, upstream.url, { timeouts: { idle: 200, write: 5000 } })

    await assertOnTime(200, async () => {
      const client = await connect(t, proxy.port)
      client.write(get)
      const response = await client.response()
      const endedAt = performance.now()
      assert.equal(response.status, 200)
      assert.equal(response.complete, false)
      assert.equal(response.body.toString(), chunks.join(''))
      const line = await proxy.line()
      assert.deepEqual(
        { status: line['status'], error: line['error'], phase: line['phase'], level: line.level, aborted: line['aborted'] },
        { status: 200, error: 'connection_read_timeout', phase: 'responseBody', level: 40, aborted: false }
      )
      assertOneLine(proxy, line)
      return endedAt - silentAt
    })
    await upstream.idle()
    assert.equal((await proxy.get('/well')).body, 'well')
  })
}

test('the idle timeout begins anew with every piece of a body', (t) => fairly(40, async () => {
  let silentAt = 0
  const upstream = await origin(t, (req, res, n) => {
    drip(['1', '2', '3', '4'], 120)(req, {
      ...res,
      writeHead: res.writeHead.bind(res),
      flushHeaders: res.flushHeaders.bind(res),
      once: res.once.bind(res),
      write: (chunk: string) => {
        silentAt = performance.now()
        return res.write(chunk)
      },
      // The end never comes.
      end: () => res
    } as unknown as typeof res, n)
  })
  const proxy = await startSick(t, upstream.url, { timeouts: { idle: 200 } })

  await assertOnTime(200, async () => {
    const client = await connect(t, proxy.port)
    client.write(get)
    const response = await client.response()
    assert.equal(response.body.toString(), '1234')
    assert.equal(response.complete, false)
    return performance.now() - silentAt
  })
}))

test('the idle timeout is not early either where the event loop was held up before the last piece was read', (t) => fairly(40, async () => {
  let silentAt = 0
  // Whoever holds the loop up, and the upstream's chunk, are ready at the same time: no timer runs between the two.
  const busy = await rawOrigin(t, (socket) => { socket.on('data', () => holdUp(150)) })
  const other = await connect(t, busy.port)
  const upstream = await origin(t, (_req, res) => {
    res.writeHead(200)
    res.write('first')
    setTimeout(() => {
      other.write('now')
      res.write('last')
      silentAt = performance.now() + 150
    }, 60)
  })
  const proxy = await startSick(t, upstream.url, { timeouts: { idle: 200 } })

  await assertOnTime(200, async () => {
    const client = await connect(t, proxy.port)
    client.write(get)
    const response = await client.response()
    assert.equal(response.body.toString(), 'firstlast')
    return performance.now() - silentAt
  })
}))

function holdUp (ms: number): void {
  const end = performance.now() + ms
  while (performance.now() < end) { /* nothing else runs */ }
}

test('cuts the client off when a body takes longer than the total timeout, within 50 ms', async (t) => {
  const upstream = await origin(t, drip(Array.from({ length: 100 }, () => 'more'), 20))
  const proxy = await startSick(t, upstream.url, { timeouts: { head: 0, total: 300 } })

  await assertOnTime(300, async () => {
    const client = await connect(t, proxy.port)
    const startedAt = performance.now()
    client.write(get)
    const response = await client.response()
    const ms = performance.now() - startedAt
    assert.equal(response.complete, false)
    const line = await proxy.line()
    assert.deepEqual({ status: line['status'], error: line['error'], level: line.level }, { status: 200, error: 'request_timeout', level: 40 })
    return ms
  })
  await upstream.idle()
})

test('silence ends server-sent events that the total timeout does not', (t) => fairly(40, async () => {
  const upstream = await origin(t, thenSilence(['data: 1\n\n'], { 'content-type': 'text/event-stream; charset=utf-8' }, () => {}))
  const proxy = await startSick(t, upstream.url, { timeouts: { head: 0, total: 150, idle: 400 } })
  const client = await connect(t, proxy.port)
  const startedAt = performance.now()
  client.write(get)

  const response = await client.response()

  assert.ok(performance.now() - startedAt >= 400)
  assert.equal(response.complete, false)
  assert.equal((await proxy.line())['error'], 'connection_read_timeout')
}))
