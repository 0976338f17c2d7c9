import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { test, type TestContext } from 'node:test'
import { connect } from '../helpers/client.ts'
import { fairly } from '../helpers/fair.ts'
import { answer, blackhole, drip, hang, origin, rawOrigin, slowHead, type Step } from '../helpers/origin.ts'
import type { Started } from '../helpers/proxy.ts'
import { assertFails, assertAnswer, get, startSick, type Row } from './error-outcome.ts'
import { assertOnTime, timed } from './timeouts-measure.ts'

const late: Row = { status: 504, error: 'http_response_timeout', phase: 'responseHeaders' }
const overall: Row = { status: 504, error: 'request_timeout', proxyStatus: 'http_response_timeout', phase: 'responseHeaders' }

/** A connection of its own for each, so that nothing that came before it counts. */
async function answerOf (t: TestContext, proxy: Started, row: Row, request: string = get): Promise<number> {
  const client = await connect(t, proxy.port)
  const { ms, result } = await timed(() => {
    client.write(request)
    return client.response()
  })
  assertAnswer(result, row)
  client.socket.destroy()
  return ms
}

const cases: [what: string, limit: number, timeouts: object, row: Row][] = [
  ['head', 80, { head: 80 }, late],
  ['head', 333, { head: 333 }, late],
  ['head', 1205, { head: 1205 }, late],
  ['attempt', 150, { attempt: 150 }, late],
  ['total', 250, { head: 0, total: 250 }, overall],
  ['total, written alone,', 300, { total: 300 }, overall],
  ['total, which is less than the others,', 200, { head: 0, attempt: 200, total: 200 }, overall]
]

for (const [what, limit, timeouts, row] of cases) {
  test(`answers 504 ${row.error} to an upstream that says nothing for the ${what} timeout of ${limit} ms, within 50 ms`, async (t) => {
    const upstream = await origin(t, hang())
    const proxy = await startSick(t, upstream.url, { timeouts })

    await assertFails(t, proxy, row)
    await assertOnTime(limit, () => answerOf(t, proxy, row))

    // Nobody waits for those answers any more.
    await upstream.idle()
    assert.equal(upstream.requests.every(({ aborted }) => aborted), true)
  })
}

test('the head timeout counts from the last byte of the request', async (t) => {
  const upstream = await origin(t, hang())
  const proxy = await startSick(t, upstream.url, { timeouts: { head: 200 } })

  await assertOnTime(200, async () => {
    const client = await connect(t, proxy.port)
    client.write('POST /sick/x HTTP/1.1\r\nHost: proxy.test\r\nContent-Length: 30\r\n\r\n')
    // Longer than the timeout, all in all.
    for (let i = 0; i < 3; i++) {
      client.write('ten bytes.')
      if (i < 2) await sleep(150)
    }
    const { ms, result } = await timed(() => client.response())
    assert.equal(result.status, 504)
    client.socket.destroy()
    return ms
  })
})

const inTime: [what: string, timeouts: object, step: Step, body: string][] = [
  ['a head that comes within the head timeout', { head: 400 }, slowHead(150, answer(200, 'late, but not too late')), 'late, but not too late'],
  ['a body that takes longer than the head timeout', { head: 150 }, drip(['a', 'b', 'c', 'd'], 100), 'abcd'],
  ['a body that takes longer than the attempt timeout', { attempt: 150 }, drip(['a', 'b', 'c', 'd'], 100), 'abcd'],
  ['a body that takes longer than the idle timeout, but is never silent for so long', { idle: 250 }, drip(['a', 'b', 'c', 'd', 'e', 'f'], 100), 'abcdef'],
  ['server-sent events that take longer than the total timeout', { head: 0, total: 200 }, drip(['data: 1\n\n', 'data: 2\n\n', 'data: 3\n\n', 'data: 4\n\n'], 100, { 'content-type': 'text/event-stream' }), 'data: 1\n\ndata: 2\n\ndata: 3\n\ndata: 4\n\n'],
  ['everything where all timeouts are off', { head: 0, idle: 0, total: 0, attempt: 0, write: 0 }, slowHead(100, drip(['a', 'b'], 100)), 'ab']
]

for (const [what, timeouts, step, body] of inTime) {
  test(`lets through ${what}`, (t) => fairly(40, async () => {
    const upstream = await origin(t, step)
    const proxy = await startSick(t, upstream.url, { timeouts })

    const response = await proxy.get('/sick/x')

    assert.equal(response.body, body)
    assert.equal(response.aborted, false)
    assert.equal((await proxy.line())['error'], '')
  }))
}

test('the total timeout counts from the start, the time that the app\'s own hooks take included', (t) => fairly(40, async () => {
  const upstream = await origin(t, hang())
  const proxy = await startSick(t, upstream.url, {
    timeouts: { head: 0, total: 300 },
    onRequest: async () => { await sleep(200) }
  })

  await assertOnTime(300, () => answerOf(t, proxy, overall))
}))

test('the total timeout bounds an exchange whose attempts fail one after the other', (t) => fairly(40, async () => {
  const hole = await blackhole(t)
  const proxy = await startSick(t, { endpoints: [hole.url], pool: { connectTimeout: 200 } }, { timeouts: { head: 0, total: 300 } })

  await assertOnTime(300, () => answerOf(t, proxy, { ...overall, phase: 'connect' }))
}))

const connecting: [what: string, url: (t: TestContext) => Promise<string>][] = [
  ['no TCP connection', async (t) => (await blackhole(t)).url],
  ['no TLS handshake', async (t) => (await rawOrigin(t, () => {})).url.replace('http', 'https')]
]

for (const [what, url] of connecting) {
  test(`answers 504 connection_timeout within 50 ms where ${what} comes about in time, for each of two attempts`, async (t) => {
    const proxy = await startSick(t, { endpoints: [await url(t)], pool: { connectTimeout: 150 } })
    const row: Row = { status: 504, error: 'connection_timeout', phase: 'connect' }

    await assertFails(t, proxy, row)
    // Half of what two of them take.
    await assertOnTime(150, async () => await answerOf(t, proxy, row) / 2)
  })
}
