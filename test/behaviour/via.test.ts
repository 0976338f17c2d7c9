import assert from 'node:assert/strict'
import test from 'node:test'
import { raw, request } from '../helpers/client.ts'
import { answer, echo, origin, type Echo } from '../helpers/origin.ts'
import { start } from '../helpers/proxy.ts'

test('adds itself to Via behind those before it', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, { upstream: upstream.url })

  await app.get('/x')
  await app.get('/x', { via: '1.0 fred, 2 edge (Apache/1.1)' })
  await raw(t, app.port, 'GET /x HTTP/1.0\r\n\r\n')

  const [alone, behind, old] = upstream.requests.map(({ headers }) => headers.via ?? '')
  assert.match(alone!, /^1\.1 sluice \([0-9a-f]+\)$/)
  assert.match(behind!, /^1\.0 fred, 2 edge \(Apache\/1\.1\), 1\.1 sluice \([0-9a-f]+\)$/)
  assert.match(old!, /^1\.0 sluice \([0-9a-f]+\)$/)
})

test('takes the name it is given, or none at all', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, { routes: [{ url: '/named', upstream: upstream.url, via: 'edge' }, { url: '/off', upstream: upstream.url, via: false }] })

  await app.get('/named')
  await app.get('/off', { via: '1.1 before' })

  assert.match(upstream.requests[0]!.headers.via!, /^1\.1 edge \(/)
  assert.equal(upstream.requests[1]!.headers.via, '1.1 before')
})

test('refuses a request that comes round again, after one turn', async (t) => {
  let own = ''
  // An upstream that is a proxy itself, with us behind it.
  const upstream = await origin(t, (req, res) => {
    request(own + req.url!, { headers: req.rawHeaders }).then(({ status, headers, body }) => {
      res.writeHead(status, { 'content-type': headers['content-type'] })
      res.end(body)
    }, () => res.destroy())
  })
  const app = await start(t, { upstream: upstream.url })
  own = app.url

  const response = await app.get('/x')

  assert.equal(response.status, 502)
  assert.equal((JSON.parse(response.body) as { code: string }).code, 'FST_SLUICE_PROXY_LOOP_DETECTED')
  assert.equal(upstream.hits, 1)
  assert.equal((await app.line((line) => line['error'] === 'proxy_loop_detected'))['status'], 502)
})

test('refuses to call its own listener for ever', async (t) => {
  let own = ''
  let calls = 0
  const app = await start(t, { routes: [], adHoc: { origins: () => true } }, {
    after: (app) => {
      app.get('/x', (_request, reply) => {
        calls++
        return reply.proxy(own)
      })
    }
  })
  own = app.url

  const response = await app.get('/x')

  assert.equal(response.status, 502)
  assert.equal(calls, 2)
})

test('a chain of gateways of one name is no loop', async (t) => {
  const upstream = await origin(t, echo())
  const inner = await start(t, { upstream: upstream.url })
  const middle = await start(t, { upstream: inner.url })
  const outer = await start(t, { upstream: middle.url })

  const response = await outer.get('/x')

  assert.equal(response.status, 200)
  const hops = (JSON.parse(response.body) as Echo).headers.via!.split(', ')
  assert.equal(hops.length, 3)
  assert.equal(new Set(hops).size, 3, 'each with a mark of its own')
})

test('a loop that strips the comments of Via is cut off too', async (t) => {
  let own = ''
  const upstream = await origin(t, (req, res) => {
    const headers = { ...req.headers, via: req.headers.via!.replaceAll(/ \([^)]*\)/g, '') }
    request(own + req.url!, { headers }).then(({ status }) => { res.writeHead(status).end() }, () => res.destroy())
  })
  const app = await start(t, { upstream: upstream.url })
  own = app.url

  assert.equal((await app.get('/x')).status, 502)
  assert.ok(upstream.hits <= 20, `${upstream.hits} turns`)
})
