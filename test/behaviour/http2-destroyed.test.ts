import assert from 'node:assert/strict'
import type { ClientHttp2Session, ServerHttp2Session } from 'node:http2'
import { Readable } from 'node:stream'
import { test, type TestContext } from 'node:test'
import type { Dispatcher } from 'undici'
import { Http2Connector } from '../../lib/data-plane/pool/http2-connector.ts'
import { createPool, type ConnectionPool, type PoolConfig } from '../../lib/data-plane/pool/index.ts'
import { http2Origin, reply, type Http2Step } from '../helpers/http2.ts'
import { eventually } from '../helpers/until.ts'

/* A session may be destroyed at any moment, by either side. Nothing may touch it then but what Node takes of one that is gone, or the process ends. */

type Opened = Parameters<Parameters<Http2Connector['connect']>[0]>[1]

/** Sessions of the pools that are made from now on, and what is done to each before its pool has it, and once it has. */
function watchSessions (t: TestContext, before: (session: ClientHttp2Session) => void = () => {}, after: typeof before = () => {}): ClientHttp2Session[] {
  const sessions: ClientHttp2Session[] = []
  const { connect } = Http2Connector.prototype
  Http2Connector.prototype.connect = function (connected) {
    return connect.call(this, (error: Error | null, opened: Opened) => {
      if (opened !== null) {
        sessions.push(opened.session)
        before(opened.session)
      }
      connected(error, opened)
      if (opened !== null) after(opened.session)
    })
  }
  t.after(() => { Http2Connector.prototype.connect = connect })
  return sessions
}

function poolTo (t: TestContext, url: string, config: Partial<PoolConfig> = {}): ConnectionPool {
  const pool = createPool(url, { connections: 4, warm: 0, keepAliveTimeout: 4000, connectTimeout: 1000, protocol: 'h2', ...config })
  t.after(() => pool.destroy())
  return pool
}

interface Seen { status: number, error: Error | null, client: { cut (): void, cutIdle (): void } | null, over: Promise<void> }
type Moment = 'connect' | 'sent' | 'head' | 'data' | 'complete' | 'error'

function send (pool: ConnectionPool, body: unknown = null, at: (moment: Moment) => void = () => {}): Seen {
  const seen: Seen = { status: 0, error: null, client: null, over: Promise.resolve() }
  seen.over = new Promise((resolve) => {
    const handler = {
      get client () { return seen.client },
      set client (client: Seen['client']) { seen.client = client },
      onConnect () { at('connect') },
      onRequestSent () { at('sent') },
      onHeaders (status: number) {
        seen.status = status
        at('head')
        return true
      },
      onData () {
        at('data')
        return true
      },
      onComplete () {
        at('complete')
        resolve()
      },
      onError (error: Error) {
        seen.error = error
        at('error')
        resolve()
      }
    }
    pool.dispatch({ method: body === null ? 'GET' : 'POST', path: '/', headers: {}, body } as unknown as Dispatcher.DispatchOptions, handler as unknown as Dispatcher.DispatchHandler)
  })
  return seen
}

/** All that an earlier request left behind has had its turn by then, and the pool serves others. */
async function isWell (pool: ConnectionPool): Promise<void> {
  for (let count = 0; count < 3; count++) await new Promise((resolve) => setImmediate(resolve))
  const seen = send(pool)
  await seen.over
  assert.deepEqual([seen.status, seen.error], [200, null])
}

function withTrailers (): Readable {
  return Object.assign(Readable.from([Buffer.from('hello')]), { trailers: { 'x-sum': '5' } })
}

test('before its pool has it', async (t) => {
  const upstream = await http2Origin(t, reply(200, 'ok'))
  let isFirst = true
  watchSessions(t, (session) => {
    if (isFirst) session.destroy()
    isFirst = false
  })
  await isWell(poolTo(t, upstream.url))
})

for (const body of [null, 'hello']) {
  test(`before it says that it is connected, with a request on it (${body === null ? 'GET' : 'POST'})`, async (t) => {
    const upstream = await http2Origin(t, reply(200, 'ok'))
    let isFirst = true
    watchSessions(t, undefined, (session) => {
      if (isFirst) session.destroy()
      isFirst = false
    })
    const pool = poolTo(t, upstream.url)
    const seen = send(pool, body === null ? null : Buffer.from(body))
    await seen.over

    assert.notEqual(seen.error, null)
    await isWell(pool)
  })
}

for (const moment of ['connect', 'sent', 'head', 'data', 'complete'] as const) {
  for (const [what, body] of [['no body', () => null], ['a body', () => Buffer.from('hello')], ['a stream with trailers', withTrailers]] as const) {
    for (const how of ['destroy', 'close'] as const) {
      test(`while a request with ${what} is told of '${moment}' (${how})`, async (t) => {
        const upstream = await http2Origin(t, reply(200, 'ok'))
        const sessions = watchSessions(t)
        const pool = poolTo(t, upstream.url)
        await isWell(pool)
        let isFirst = true
        const seen = send(pool, body(), (reached) => {
          if (reached === moment && isFirst) {
            isFirst = false
            sessions[0]![how]()
          }
        })
        await seen.over

        await isWell(pool)
      })
    }
  }
}

test('between two requests, and in the turn of the second', async (t) => {
  const upstream = await http2Origin(t, reply(200, 'ok'))
  const sessions = watchSessions(t)
  const pool = poolTo(t, upstream.url)
  await isWell(pool)
  sessions[0]!.destroy()
  const seen = send(pool)
  await seen.over

  assert.equal(seen.status, 200)
  await isWell(pool)
})

const holds: Http2Step = () => {}

for (const [what, act] of [
  ['before the request on it is given up', (session: ClientHttp2Session, seen: Seen) => {
    session.destroy()
    seen.client!.cut()
  }],
  ['after the request on it was given up', (session: ClientHttp2Session, seen: Seen) => {
    seen.client!.cut()
    session.destroy()
  }],
  ['while it is asked whether it is still there', (session: ClientHttp2Session, seen: Seen) => {
    seen.client!.cut()
    setImmediate(() => { session.destroy() })
  }],
  ['with idle ones closed', (session: ClientHttp2Session, seen: Seen) => {
    session.destroy()
    seen.client!.cutIdle()
  }]
] as const) {
  test(what, async (t) => {
    const upstream = await http2Origin(t, holds, reply(200, 'ok'))
    const sessions = watchSessions(t)
    const pool = poolTo(t, upstream.url, { connectTimeout: 30 })
    const seen = send(pool)
    await upstream.until('the request', () => upstream.requests.length === 1)

    act(sessions[0]!, seen)
    // Longer than it is waited for an answer to the ping.
    await new Promise((resolve) => setTimeout(resolve, 60))

    await isWell(pool)
  })
}

test('while its body is written, piece by piece', async (t) => {
  const upstream = await http2Origin(t, holds, reply(200, 'ok'))
  const sessions = watchSessions(t)
  const pool = poolTo(t, upstream.url)
  const body = new Readable({ read () {} })
  const seen = send(pool, body)
  await upstream.until('the request', () => upstream.requests.length === 1)
  body.push('part')
  await upstream.until('the part', () => upstream.requests[0]!.body.length > 0)

  sessions[0]!.destroy()
  body.push('more')
  body.push(null)
  await seen.over

  assert.notEqual(seen.error, null)
  assert.equal(upstream.requests[0]!.complete, false)
  await isWell(pool)
})

test('when it has been idle for long enough', async (t) => {
  const upstream = await http2Origin(t, reply(200, 'ok'))
  const sessions = watchSessions(t)
  const pool = poolTo(t, upstream.url, { keepAliveTimeout: 20 })
  await isWell(pool)
  const ended = new Promise((resolve) => setTimeout(resolve, 40))
  sessions[0]!.destroy()
  await ended

  await isWell(pool)
})

for (const code of [0, 2]) {
  test(`by a GOAWAY (${code}) that crosses requests`, async (t) => {
    const upstream = await http2Origin(t, reply(200, 'ok'))
    upstream.server.on('session', (session: ServerHttp2Session) => {
      let count = 0
      session.on('stream', () => { if (++count === 3) session.goaway(code) })
    })
    const pool = poolTo(t, upstream.url)
    for (let round = 0; round < 20; round++) {
      const all = Array.from({ length: 5 }, () => send(pool))
      await Promise.all(all.map(({ over }) => over))
    }

    await eventually('one that goes well', async () => {
      const seen = send(pool)
      await seen.over
      return seen.status === 200
    })
  })
}

const check = { method: 'GET', path: '/', headers: { host: 'a' }, servername: null, timeout: 500 } as const

for (const [what, before, after] of [
  ['before its check has it', true, false],
  ['once its check has asked', false, true]
] as const) {
  test(`${what}, which fails, and the next does not`, async (t) => {
    const upstream = await http2Origin(t, reply(200, 'ok'))
    let isFirst = true
    const destroy = (session: ClientHttp2Session): void => {
      if (isFirst) session.destroy()
      isFirst = false
    }
    watchSessions(t, before ? destroy : undefined, after ? destroy : undefined)
    const pool = poolTo(t, upstream.url)

    await assert.rejects(pool.probe(check))

    assert.equal((await pool.probe(check)).statusCode, 200)
  })
}

test('while the pool is closed, and destroyed', async (t) => {
  const upstream = await http2Origin(t, holds)
  const sessions = watchSessions(t)
  for (const end of ['close', 'destroy'] as const) {
    const pool = poolTo(t, upstream.url)
    const seen = send(pool)
    const count = upstream.requests.length
    await upstream.until('the request', () => upstream.requests.length > count)
    sessions.at(-1)!.destroy()
    await pool[end]()
    await seen.over
    assert.notEqual(seen.error, null)
  }
})
