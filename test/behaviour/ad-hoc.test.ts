import assert from 'node:assert/strict'
import test from 'node:test'
import Fastify from 'fastify'
import proxy from '../../lib/index.ts'
import type { ProxyOptions } from '../../types/index.ts'
import { connect } from '../helpers/client.ts'
import { answer, echo, origin, refusedPort } from '../helpers/origin.ts'
import { start, type Started } from '../helpers/proxy.ts'
import { Scrape } from '../helpers/metrics.ts'
import { eventually } from '../helpers/until.ts'

/** An app whose GET /x forwards to the URL of its query. */
async function toldBy (t: Parameters<typeof start>[0], options: ProxyOptions): Promise<Started & { to (url: string): Promise<number> }> {
  const app = await start(t, { routes: [], ...options }, {
    after: (app) => { app.get('/x', (request, reply) => reply.proxy((request.query as { to: string }).to)) }
  })
  return { ...app, to: async (url) => (await app.get(`/x?to=${encodeURIComponent(url)}`)).status }
}

test('a URL that no route or canary names is a config_error that names the remedy', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await toldBy(t, {})

  assert.equal(await app.to(upstream.url), 500)

  const { err } = await app.line((line) => line['err'] !== undefined)
  assert.equal(err.code, 'FST_SLUICE_CONFIG_ERROR')
  assert.ok(err.message.includes(`'${upstream.url}' is no upstream of a route or a canary; name one of \`upstreams\`, or allow its origin in \`adHoc\``), err.message)
  assert.equal(upstream.connections, 0)
})

test('URLs that routes, canaries and the one-line form name may be named again', async (t) => {
  const upstream = await origin(t, echo())
  const app = await toldBy(t, {
    upstreams: { main: upstream.url },
    routes: [
      { url: '/route', upstream: `${upstream.url}/route` },
      { url: '/canary', upstream: 'main', canary: { upstream: `${upstream.url}/canary/`, weight: 1 } }
    ],
    prefix: '/line',
    upstream: `${upstream.url}/line`
  })

  for (const path of ['/route', '/route/', '/canary', '/canary/', '/line', '/line/', '']) assert.equal(await app.to(upstream.url + path), 200, path)
  assert.equal(await app.to(`${upstream.url}/other`), 500)
  assert.deepEqual(new Set(upstream.requests.map(({ url }) => url.split('/x')[0])), new Set(['/route', '/canary', '/line', '']))
})

test('adHoc allows origins, with any path, and no others', async (t) => {
  const upstream = await origin(t, answer(200))
  const other = await origin(t, answer(200))
  const app = await toldBy(t, { adHoc: { origins: [upstream.url] } })

  assert.deepEqual([await app.to(upstream.url), await app.to(`${upstream.url}/base`), await app.to(other.url)], [200, 200, 500])
  assert.ok(JSON.stringify(await app.line((line) => line['err'] !== undefined)).includes('not among `adHoc.origins`'))
  for (const wrong of [`${upstream.url}/?a=b`, upstream.url.replace('//', '//user@'), 'ftp://a', 'nobody']) assert.equal(await app.to(wrong), 500, wrong)
  assert.deepEqual(upstream.requests.map(({ url }) => url.split('?')[0]), ['/x', '/base/x'])
  assert.equal(other.connections, 0)
})

test('a function of adHoc.origins that is no such function opens nothing', async (t) => {
  const upstream = await origin(t, answer(200))
  for (const origins of [async () => true, () => 1] as unknown as (() => boolean)[]) {
    const app = await toldBy(t, { adHoc: { origins } })
    assert.equal(await app.to(upstream.url), 500)
    assert.ok(JSON.stringify(await app.line((line) => line['err'] !== undefined)).includes('`adHoc.origins` must return true or false'))
  }
  assert.equal(upstream.connections, 0)
})

test('what reply.proxy names by URL is one upstream and one endpoint in metrics, and is let go when its connections have closed', async (t) => {
  const upstreams = await Promise.all(Array.from({ length: 5 }, () => origin(t, answer(200, 'ok', { connection: 'close' }))))
  const app = await toldBy(t, { adHoc: { origins: () => true } })
  for (const { url } of upstreams) assert.equal(await app.to(url), 200)
  assert.equal(await app.to(`http://127.0.0.1:${await refusedPort()}`), 502)

  await eventually('all are let go but the one that fails', () => Object.keys(app.app.proxy.stats().upstreams).length === 1)

  const text = await app.app.proxy.metrics.prometheus()
  assert.ok(!text.includes('127.0.0.1'), text.split('\n').find((line) => line.includes('127.0.0.1')))
  const requests = Object.entries(new Scrape(text).of('sluice_requests_total'))
  assert.ok(requests.every(([labels]) => labels.startsWith('{route="reply.proxy adhoc",upstream="adhoc",')), JSON.stringify(requests))
  assert.equal(requests.reduce((sum, [, count]) => sum + count, 0), 6)
  assert.equal(await app.to(upstreams[0]!.url), 200)
})

test('there are no more than max at one time', async (t) => {
  const upstreams = await Promise.all(Array.from({ length: 6 }, () => origin(t, answer(200))))
  const app = await toldBy(t, { adHoc: { origins: () => true, max: 3 } })

  for (const { url } of upstreams) assert.equal(await app.to(url), 200)

  assert.deepEqual(Object.keys(app.app.proxy.stats().upstreams), upstreams.slice(3).map(({ url }) => url))
  assert.equal(app.app.proxy.upstream(upstreams[0]!.url), undefined)
  assert.equal(app.app.proxy.upstream(upstreams[5]!.url)!.label, 'adhoc')
  assert.equal(await app.to(upstreams[0]!.url), 200)
})

test('one that makes room for another sends what it has been given, in one turn with it too', async (t) => {
  const upstreams = await Promise.all(Array.from({ length: 4 }, () => origin(t, answer(200))))
  const app = await start(t, { adHoc: { origins: () => true, max: 1 }, routes: [] }, {
    after: (app) => {
      app.addContentTypeParser('*', (_request, payload, done) => { done(null, payload) })
      app.post('/x', (request, reply) => reply.proxy((request.query as { to: string }).to))
    }
  })
  const requests = upstreams.map(({ url }) => `POST /x?to=${url} HTTP/1.1\r\nHost: x\r\nContent-Type: a/b\r\nContent-Length: 2\r\n\r\nhi`)

  const client = await connect(t, app.port)
  client.write(requests.join(''))

  for (let count = 0; count < upstreams.length; count++) assert.equal((await client.response()).status, 200)
})

test('routes of an options object go with the upstream that they lead to', async (t) => {
  const upstreams = await Promise.all(Array.from({ length: 3 }, () => origin(t, echo())))
  const options = { headers: { request: { set: { 'x-a': 'b' } } } }
  const app = await start(t, { adHoc: { origins: () => true, max: 1 }, routes: [] }, {
    after: (app) => { app.get('/x', (request, reply) => reply.proxy((request.query as { to: string }).to, options)) }
  })

  for (let round = 0; round < 2; round++) {
    for (const { url } of upstreams) {
      const response = await app.get(`/x?to=${encodeURIComponent(url)}`)
      assert.deepEqual([response.status, JSON.parse(response.body).headers['x-a']], [200, 'b'])
    }
  }
})

test('a canary of reply.proxy by URL has to be configured', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, { adHoc: { origins: () => true }, upstreams: { main: upstream.url }, routes: [] }, {
    after: (app) => { app.get('/x', (_request, reply) => reply.proxy('main', { canary: { upstream: `${upstream.url}/canary`, weight: 100 } })) }
  })
  assert.equal((await app.get('/x')).status, 500)
  const line = JSON.stringify(await app.line((line) => line['err'] !== undefined))
  assert.ok(line.includes('is no upstream of a route or a canary; name one of `upstreams`') && !line.includes('adHoc'), line)
})

for (const [adHoc, path, message] of [
  [{}, 'adHoc.origins', 'is required'],
  [{ origins: [] }, 'adHoc.origins', /a list of origins/],
  [{ origins: ['http://a/path'] }, 'adHoc.origins', /a list of origins/],
  [{ origins: ['a'] }, 'adHoc.origins', /a list of origins/],
  [{ origins: () => true, max: 0 }, 'adHoc.max', />= 1/],
  [{ origins: () => true, most: 1 }, 'adHoc.most', /is not an option/],
  [true, 'adHoc', /false or an object/]
] as const) {
  test(`adHoc: ${JSON.stringify(adHoc)} is refused at ${path}`, async (t) => {
    const app = Fastify()
    t.after(() => app.close())
    await app.register(proxy, { adHoc } as unknown as ProxyOptions)
    await assert.rejects(async () => { await app.ready() }, ({ problems }: { problems: { path: string, message: string }[] }) => {
      assert.deepEqual(problems.map((problem) => problem.path), [path])
      assert.match(problems[0]!.message, message instanceof RegExp ? message : new RegExp(message))
      return true
    })
  })
}

test('adHoc is given in one registration', async (t) => {
  const app = Fastify()
  t.after(() => app.close())
  await app.register(proxy, { adHoc: { origins: () => true } })
  await app.register(proxy, { adHoc: false })
  await app.register(proxy, { adHoc: { origins: () => true } })
  await assert.rejects(async () => { await app.ready() }, /adHoc: is given in another registration of the app already/)
})
