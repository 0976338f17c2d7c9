import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import type { FastifyServerOptions } from 'fastify'
import { connectHttp2 } from '../helpers/http2.ts'
import { answer, origin, slowHead } from '../helpers/origin.ts'
import { start } from '../helpers/proxy.ts'

test('closing the app sends clients of HTTP/2 away, and finishes what they have asked', async (t) => {
  const upstream = await origin(t, slowHead(100, answer(200, 'ok')))
  const proxy = await start(t, { upstream: upstream.url }, { fastify: { http2: true } as FastifyServerOptions })
  const idle = await connectHttp2(t, proxy.url)
  const busy = await connectHttp2(t, proxy.url)
  const gone = once(idle.session, 'goaway')

  const response = busy.get('/')
  await upstream.arrived(1)
  const closing = proxy.app.close()

  assert.equal((await gone)[0], 0)
  assert.deepEqual([(await response).status, (await response).body], [200, 'ok'])
  await closing
})
