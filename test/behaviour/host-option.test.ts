import assert from 'node:assert/strict'
import test from 'node:test'
import { raw, values } from '../helpers/client.ts'
import { answer, origin, refusedPort } from '../helpers/origin.ts'
import { start } from '../helpers/proxy.ts'

test('names the host that the host option says, and the client\'s beside it', async (t) => {
  const upstream = await origin(t, answer(200))
  const own = upstream.url.slice('http://'.length)
  const app = await start(t, {
    upstreams: { main: upstream.url, named: { endpoints: [{ origin: upstream.url, host: 'endpoint.example' }] } },
    routes: [
      { url: '/default', upstream: 'main' },
      { url: '/upstream', upstream: 'main', host: 'upstream' },
      { url: '/original', upstream: 'main', host: 'original' },
      { url: '/fixed', upstream: 'main', host: 'fixed.example' },
      { url: '/endpoint', upstream: 'named' },
      { url: '/endpoint-original', upstream: 'named', host: 'original' },
      { url: '/edited', upstream: 'main', headers: { request: { set: { host: 'edited.example' } } } }
    ]
  })
  const expected = {
    '/default': own,
    '/upstream': own,
    '/original': 'client.example',
    '/fixed': 'fixed.example',
    '/endpoint': 'endpoint.example',
    '/endpoint-original': 'client.example',
    '/edited': 'edited.example'
  }

  for (const [path, host] of Object.entries(expected)) {
    const response = await raw(t, app.port, `GET ${path} HTTP/1.1\r\nHost: client.example\r\n\r\n`)
    assert.equal(response.status, 200, path)
    const { rawHeaders } = upstream.requests.at(-1)!
    assert.deepEqual(values(rawHeaders, 'host'), [host], path)
    assert.deepEqual(values(rawHeaders, 'x-forwarded-host'), ['client.example'], path)
  }
  assert.equal(upstream.connections, 1, 'another Host is no reason for another connection')
})

test('a client of HTTP/1.0 without Host gets the endpoint\'s, also with host: original', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, { upstream: upstream.url, host: 'original' })

  const response = await raw(t, app.port, 'GET /x HTTP/1.0\r\n\r\n')

  assert.equal(response.status, 200)
  assert.equal(upstream.requests[0]!.headers.host, upstream.url.slice('http://'.length))
})

test('a retry on another endpoint names that endpoint', async (t) => {
  const well = await origin(t, answer(200, 'ok'))
  const app = await start(t, { upstreams: { both: { endpoints: [`http://127.0.0.1:${await refusedPort()}`, well.url], balancer: 'round-robin' } }, routes: [{ url: '/x', upstream: 'both' }] })

  assert.equal((await app.get('/x')).body, 'ok')
  assert.equal(well.requests[0]!.headers.host, well.url.slice('http://'.length))
})

for (const hosts of [['named.example', null], [null, 'named.example'], ['named.example', 'other.example']]) {
  test(`a retry names the endpoint that it goes to: ${hosts.map((host) => host ?? 'its own').join(', then ')}`, async (t) => {
    const [sick, well] = [await origin(t, answer(503)), await origin(t, answer(200, 'ok'))]
    const endpoints = [sick, well].map(({ url }, priority) => ({ origin: url, priority, ...hosts[priority] === null ? {} : { host: hosts[priority]! } }))
    const app = await start(t, { upstreams: { both: { endpoints, outlier: false } }, routes: [{ url: '/x', upstream: 'both', retry: { on: [503] } }] })

    assert.equal((await app.get('/x')).body, 'ok')
    const sent = [sick, well].map(({ requests, url }, index) => [requests[0]!.headers.host, hosts[index] ?? url.slice('http://'.length)])
    for (const [named, expected] of sent) assert.equal(named, expected)
  })
}
