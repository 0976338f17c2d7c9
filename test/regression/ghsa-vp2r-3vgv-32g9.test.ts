import assert from 'node:assert/strict'
import { test } from 'node:test'
import { raw } from '../helpers/client.ts'
import { echo, origin } from '../helpers/origin.ts'
import { start } from '../helpers/proxy.ts'

/*
 * Who may be asked for what, written so that one reader sees it and the next does not. All of it goes over raw sockets: Fastify's
 * inject and every URL class repair paths before anybody can look at them.
 *
 * GHSA-vp2r-3vgv-32g9, CVE-2026-85124: backslashes became slashes after the check for dot segments.
 * CVE-2021-21321, CVE-2021-21322, GHSA-2q7r-29rg-6m5h: dot segments, plain and encoded, left the base path.
 * CVE-2026-127060: Tomcat and Jetty read `/..;/` as `/../`.
 */

const refused = [
  '/files/a\\..\\..\\admin',
  '/files/..\\admin',
  '/files\\..\\admin',
  '/files/a\\b',
  '/files/../admin',
  '/files/..',
  '/files/a/../../admin',
  '/files/./admin',
  '/files/%2e%2e/admin',
  '/files/%2E%2E/admin',
  '/files/.%2e/admin',
  '/files/%2e./admin',
  '/files/%2e%2e%2fadmin',
  '/files/..%2fadmin',
  '/files/..%5cadmin',
  '/files/%2e%2e%5cadmin',
  '/files/..%5c..%5cadmin',
  '/files/..;/admin',
  '/files/..;jsessionid=1/admin',
  '/files/%2e%2e;/admin',
  '/files/..%3b/admin',
  '/files/..%00/admin',
  '/files/a#/../admin'
]

// What merely looks like it is somebody's name for something.
const forwarded = ['/files/..a', '/files/...', '/files/a..', '/files/.hidden', '/files/a;b=..', '/files/%252e%252e/admin', '/files/a%2Fb', '/files//a', '/files/x@y', '/files/a?q=../..']

for (const [what, upstreamPath] of [['an upstream', ''], ['an upstream with a base path', '/base']] as const) {
  test(`no spelling of a dot segment leaves the prefix of a route to ${what}`, async (t) => {
    const upstream = await origin(t, echo())
    const proxy = await start(t, { routes: [{ url: '/files/*', upstream: upstream.url + upstreamPath }] })

    for (const path of refused) {
      const { status } = await raw(t, proxy.port, `GET ${path} HTTP/1.1\r\nHost: proxy.test\r\n\r\n`)
      // 404 where not even Fastify's router takes it for this route's.
      assert.ok(status === 400 || status === 404, `${path}: ${status}`)
    }

    assert.deepEqual(upstream.requests.map(({ url }) => url), [])
  })

  test(`paths that only look like dot segments arrive byte for byte at ${what}`, async (t) => {
    const upstream = await origin(t, echo())
    const proxy = await start(t, { routes: [{ url: '/files/*', upstream: upstream.url + upstreamPath }] })

    for (const path of forwarded) {
      const { status } = await raw(t, proxy.port, `GET ${path} HTTP/1.1\r\nHost: proxy.test\r\n\r\n`)
      assert.equal(status, 200, path)
    }

    assert.deepEqual(upstream.requests.map(({ url }) => url), forwarded.map((path) => upstreamPath + path))
  })
}

test('the one-line form, which replaces its prefix, is no way around', async (t) => {
  const upstream = await origin(t, echo())
  const proxy = await start(t, { prefix: '/files', upstream: `${upstream.url}/base` })

  for (const path of refused) {
    const { status } = await raw(t, proxy.port, `GET ${path} HTTP/1.1\r\nHost: proxy.test\r\n\r\n`)
    assert.ok(status === 400 || status === 404, `${path}: ${status}`)
  }
  assert.equal(upstream.hits, 0)
  for (const path of forwarded) assert.equal((await raw(t, proxy.port, `GET ${path} HTTP/1.1\r\nHost: proxy.test\r\n\r\n`)).status, 200, path)

  assert.deepEqual(upstream.requests.map(({ url }) => url), forwarded.map((path) => path.replace('/files', '/base')))
})
