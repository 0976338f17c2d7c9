import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import { raw } from '../helpers/client.ts'
import { echo, origin, type Echo } from '../helpers/origin.ts'
import { start } from '../helpers/proxy.ts'

async function seen (t: TestContext, lines: string, trustProxy: string, forwarded: 'x-forwarded' | 'forwarded' | 'both' = 'both'): Promise<Echo['headers']> {
  const upstream = await origin(t, echo())
  const app = await start(t, { upstream: upstream.url, forwarded }, { fastify: { trustProxy } })
  return (JSON.parse((await raw(t, app.port, `GET /x HTTP/1.1\r\nHost: x\r\n${lines}\r\n`)).body.toString()) as Echo).headers
}

const own = 'for=127.0.0.1;host=x;proto=http'

test('a trusted peer that says Forwarded alone is trusted, and one that is not is not', async (t) => {
  const trusted = await seen(t, 'Forwarded: for="[2001:db8::1]:4711";proto=https\r\n', '127.0.0.0/8')
  assert.equal(trusted['forwarded'], `for="[2001:db8::1]:4711";proto=https, ${own}`)
  // The stand-in by which that is found out is seen by nobody.
  assert.equal(trusted['x-forwarded-for'], '127.0.0.1')

  const others = await seen(t, 'Forwarded: for=192.0.2.1\r\nX-Forwarded-Port: 1\r\n', '10.0.0.0/8')
  assert.deepEqual([others['forwarded'], others['x-forwarded-for'], others['x-forwarded-port']], [own, '127.0.0.1', undefined])
})

test('a trusted peer is trusted in its other fields, with or without an empty chain', async (t) => {
  for (const lines of ['X-Forwarded-Port: 443\r\n', 'X-Forwarded-For:\r\nX-Forwarded-Port: 443\r\n']) {
    assert.equal((await seen(t, lines, '127.0.0.0/8'))['x-forwarded-port'], '443')
  }
})

test('a malformed Forwarded is dropped, not repaired', async (t) => {
  for (const value of ['for', 'for=', 'for=a b', 'for="a', 'for=a;for=b', 'FOR=a;for=b', 'for=[::1]', '=a', 'for=a, "']) {
    assert.equal((await seen(t, `Forwarded: ${value}\r\n`, '127.0.0.0/8'))['forwarded'], own, value)
  }
  for (const value of ['for=a;by=b;host="x:1";proto=http', 'for=a, for=b', ', for=a', 'For="_gazonk"', 'for=unknown;ext="a\\"b,;"', 'for=a ;by=b']) {
    assert.equal((await seen(t, `Forwarded: ${value}\r\n`, '127.0.0.0/8'))['forwarded'], `${value}, ${own}`, value)
  }
})

test('hops whose names only begin with ours are no loop', async (t) => {
  const upstream = await origin(t, echo())
  const app = await start(t, { upstream: upstream.url })
  const via = (name: string) => Array.from({ length: 20 }, () => `1.1 ${name}`).join(', ')
  const status = async (name: string) => (await raw(t, app.port, `GET /x HTTP/1.1\r\nHost: x\r\nVia: ${via(name)}\r\n\r\n`)).status

  assert.deepEqual([await status('sluice-edge'), await status('sluices.example:80'), await status('my-sluice'), await status('sluice'), await status('sluice (a)')], [200, 200, 200, 502, 502])
})
