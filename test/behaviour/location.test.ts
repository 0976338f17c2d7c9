import assert from 'node:assert/strict'
import test from 'node:test'
import { answer, origin } from '../helpers/origin.ts'
import { start, type Started } from '../helpers/proxy.ts'

/** `ORIGIN` and `AUTHORITY` stand for those of the upstream. */
type Rows = readonly (readonly [sent: string, seen: string])[]

const bare: Rows = [
  ['/there', '/there'],
  ['/', '/'],
  ['there', 'there'],
  ['../there', '../there'],
  ['?page=2', '?page=2'],
  ['ORIGIN/there?a=1#b', '/there?a=1#b'],
  ['ORIGIN', '/'],
  ['ORIGIN?a=1', '/?a=1'],
  ['//AUTHORITY/there', '/there'],
  ['HTTP://AUTHORITY/there', '/there'],
  ['https://AUTHORITY/there', 'https://AUTHORITY/there'],
  ['http://elsewhere.example/there', 'http://elsewhere.example/there'],
  ['//elsewhere.example/there', '//elsewhere.example/there'],
  ['ORIGIN.evil.example/', 'ORIGIN.evil.example/'],
  ['http://user@AUTHORITY/', 'http://user@AUTHORITY/'],
  ['mailto:a@b', 'mailto:a@b'],
  ['', '']
]

const prefixed: Rows = [
  ['/there', '/api/there'],
  ['/', '/api/'],
  ['there', 'there'],
  ['ORIGIN/there?a=1', '/api/there?a=1'],
  ['ORIGIN', '/api/'],
  ['http://elsewhere.example/there', 'http://elsewhere.example/there']
]

const replaced: Rows = [
  ['/v1/there', '/api/there'],
  ['/v1', '/api'],
  ['/v1/', '/api/'],
  ['/v1?a=1', '/api?a=1'],
  ['ORIGIN/v1/there', '/api/there'],
  ['/v10/there', '/v10/there'],
  ['/login', '/login'],
  ['ORIGIN/login', 'ORIGIN/login']
]

async function check (app: Started, path: string, upstream: string, rows: Rows): Promise<void> {
  const real = (text: string): string => text.replace('ORIGIN', upstream).replace('AUTHORITY', upstream.slice('http://'.length))
  for (const [sent, seen] of rows) {
    const { headers } = await app.get(path, { 'x-location': real(sent) })
    assert.equal(headers.location, real(seen), `Location: ${sent}`)
    assert.equal(headers['content-location'], real(seen), `Content-Location: ${sent}`)
  }
}

test('brings redirects within the upstream back to the client, and leaves others alone', async (t) => {
  const upstream = await origin(t, (req, res) => {
    const location = String(req.headers['x-location'] ?? '')
    res.writeHead(302, { location, 'content-location': location, 'content-length': 0 }).end()
  })
  const base = `${upstream.url}/v1`
  const app = await start(t, {
    upstreams: { main: upstream.url, base },
    routes: [
      { url: '/bare/*', upstream: 'main' },
      { url: '/api/*', upstream: 'main', rewrite: '/*' },
      { url: '/base/*', upstream: 'base' }
    ]
  })
  const short = await start(t, { prefix: '/api', upstream: upstream.url })
  const based = await start(t, { prefix: '/api', upstream: base })
  const named = await start(t, { prefix: '/api', upstreams: { base }, upstream: 'base' })
  const templated = await start(t, { routes: [{ url: '/api/*', upstream: upstream.url, rewrite: '/v1/*' }] })

  await check(app, '/bare/x', upstream.url, bare)
  await check(app, '/api/x', upstream.url, prefixed)
  await check(short, '/api/x', upstream.url, prefixed)
  await check(short, '/api', upstream.url, [['there', '/api/there'], ['?page=2', '?page=2'], ['/there', '/api/there']])
  await check(short, '/api/x', upstream.url, [['..', '/api/'], ['../there', '/api/there'], ['./there', './there']])
  await check(based, '/api/x', upstream.url, replaced)
  await check(named, '/api/x', upstream.url, replaced)
  await check(templated, '/api/x', upstream.url, replaced)
  await check(app, '/base/x', upstream.url, [['/v1/base/there', '/base/there'], ['ORIGIN/v1', '/'], ['/other', '/other']])
})

test('knows the upstream by the Host that it was sent, in any case, and itself by what the upstream was told', async (t) => {
  const upstream = await origin(t, answer(302, '', { location: 'http://shop.example/there' }))
  const app = await start(t, {
    routes: [
      { url: '/fixed/*', upstream: upstream.url, rewrite: '/*', host: 'shop.example' },
      { url: '/original/*', upstream: upstream.url, rewrite: '/*', host: 'original' },
      { url: '/capitals/*', upstream: upstream.url, rewrite: '/*', host: 'Shop.EXAMPLE' },
      { url: '/default/*', upstream: upstream.url, rewrite: '/*' },
      { url: '/untold/*', upstream: upstream.url, rewrite: '/*', forwarded: false },
      { url: '/standard/*', upstream: upstream.url, rewrite: '/*', forwarded: 'forwarded' },
      { url: '/edited/*', upstream: upstream.url, rewrite: '/*', headers: { request: { set: { 'x-forwarded-host': 'elsewhere.example' } } } }
    ]
  })

  assert.equal((await app.get('/fixed/x')).headers.location, '/fixed/there')
  assert.equal((await app.get('/original/x', { host: 'shop.example' })).headers.location, '/original/there')
  assert.equal((await app.get('/original/x', { host: 'SHOP.example:80' })).headers.location, '/original/there')
  assert.equal((await app.get('/capitals/x')).headers.location, '/capitals/there')
  for (const route of ['default', 'standard']) assert.equal((await app.get(`/${route}/x`, { host: 'shop.example' })).headers.location, `/${route}/there`)
  for (const route of ['untold', 'edited']) assert.equal((await app.get(`/${route}/x`, { host: 'shop.example' })).headers.location, 'http://shop.example/there')
})

test('comes back once under the prefix, whatever of X-Forwarded-Host, -Proto and -Prefix the upstream has built it of', async (t) => {
  const upstream = await origin(t, (req, res) => {
    const { 'x-forwarded-proto': proto, 'x-forwarded-host': host, 'x-forwarded-prefix': prefix = '' } = req.headers
    const forms: Record<string, string> = {
      '/prefix': `${String(prefix)}/login?next=%2F`,
      '/whole': `${String(proto)}://${String(host)}${String(prefix)}/login?next=%2F`,
      '/host': `${String(proto)}://${String(host)}/login?next=%2F`,
      '/own': '/login?next=%2F',
      '/secure': `https://${String(host)}/login`,
      '/plain': `http://${String(host)}/login`
    }
    res.writeHead(302, { location: forms[req.url!] ?? '', refresh: `0; url=${forms[req.url!]}` }).end()
  })
  for (const trustProxy of [false, '127.0.0.1']) {
    const app = await start(t, { prefix: '/fl', upstream: upstream.url, canary: { upstream: `${upstream.url}`, header: 'x-canary' } }, { fastify: { trustProxy } })
    for (const headers of [{ host: 'gw.test' }, { host: 'gw.test:80', 'x-canary': 'true' }, { host: 'GW.test', 'x-forwarded-host': 'shop.test', 'x-forwarded-proto': 'https', 'x-forwarded-prefix': '/outer' }]) {
      for (const path of ['/fl/prefix', '/fl/whole', '/fl/host', '/fl/own']) {
        const response = await app.get(path, headers)
        assert.deepEqual([response.headers.location, response.headers.refresh], ['/fl/login?next=%2F', '0; url=/fl/login?next=%2F'], `${path} ${JSON.stringify(headers)}`)
      }
    }
    // The scheme that the upstream was not told is another place.
    assert.equal((await app.get('/fl/secure', { host: 'gw.test' })).headers.location, 'https://gw.test/login')
    assert.equal((await app.get('/fl/plain', { host: 'gw.test', 'x-forwarded-host': 'shop.test', 'x-forwarded-proto': 'https' })).headers.location, trustProxy === false ? '/fl/login' : 'http://shop.test/login')
  }
})

test('leaves Location alone where it is told to, and where the way back cannot be told', async (t) => {
  const upstream = await origin(t, answer(302, '', { location: '/there' }))
  const app = await start(t, {
    routes: [
      { url: '/off/*', upstream: upstream.url, rewrite: '/*', location: false },
      { url: '/fn/*', upstream: upstream.url, rewrite: () => '/x' },
      { url: '/users/:id/*', upstream: upstream.url, rewrite: '/u/:id/*' }
    ]
  })

  for (const path of ['/off/x', '/fn/x', '/users/7/x']) assert.equal((await app.get(path)).headers.location, '/there', path)
})
