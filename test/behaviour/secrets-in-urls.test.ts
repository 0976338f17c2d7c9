import assert from 'node:assert/strict'
import test from 'node:test'
import Fastify from 'fastify'
import proxy from '../../lib/index.ts'
import type { ProxyOptions } from '../../types/index.ts'
import { raw } from '../helpers/client.ts'
import { answer, origin } from '../helpers/origin.ts'
import { start } from '../helpers/proxy.ts'

const secret = 'hunter2'
/** A password may have any of these in it, by mistake or not. */
const urls = [
  `http://svc:${secret}@127.0.0.1:3000`, `https://svc:${secret}@127.0.0.1:3000/base`, `http://svc:p@${secret}@127.0.0.1:3000`, `http://svc:a/${secret}@127.0.0.1`, `http://svc:a '${secret}@127.0.0.1`,
  `http://:${secret}@127.0.0.1`, `http://svc:${secret}@127.0.0.1:99999`, `svc:${secret}@127.0.0.1`, `ftp://svc:${secret}@127.0.0.1`, `http://127.0.0.1/?key=${secret}`, `//svc:${secret}@127.0.0.1`
]

const forms: Record<string, (url: string) => unknown> = {
  'upstream, one line': (url) => ({ upstream: url }),
  'upstreams by name': (url) => ({ upstreams: { a: url } }),
  'upstreams by themselves': (url) => ({ upstreams: { [url]: 'nothing' } }),
  'a list': (url) => ({ upstreams: { a: [url] } }),
  endpoints: (url) => ({ upstreams: { a: { endpoints: [url] } } }),
  'endpoints[].origin': (url) => ({ upstreams: { a: { endpoints: [{ origin: url }] } } }),
  'an object for a line': (url) => ({ upstream: { endpoints: [url] } }),
  'a route': (url) => ({ routes: [{ url: '/*', upstream: url }] }),
  'a canary': (url) => ({ upstreams: { a: 'http://127.0.0.1' }, routes: [{ url: '/*', upstream: 'a', canary: { upstream: url } }] }),
  'the name of a canary': (url) => ({ upstreams: { a: 'http://127.0.0.1' }, routes: [{ url: '/*', upstream: 'a', canaries: [{ upstream: 'a', name: url }, { upstream: 'a', name: url }] }] }),
  'an option that is none': (url) => ({ [url]: 1, upstream: 'http://127.0.0.1' }),
  via: (url) => ({ upstream: 'http://127.0.0.1', via: url }),
  'adHoc.origins': (url) => ({ adHoc: { origins: [url] } })
}

for (const [form, options] of Object.entries(forms)) {
  test(`a URL with a password in ${form} is refused, and the password is in no message`, async (t) => {
    for (const url of urls) {
      const logs: string[] = []
      const app = Fastify({ logger: { level: 'trace', stream: { write: (line: string) => { logs.push(line) } } } })
      t.after(() => app.close())
      let told = ''
      try {
        await app.register(proxy, options(url) as ProxyOptions)
        await app.ready()
      } catch (error) {
        const { message, stack, problems } = error as Error & { problems: unknown }
        told = `${message} ${stack} ${JSON.stringify(problems)}`
      }
      assert.notEqual(told, '', `${form} ${url}`)
      assert.ok(!told.includes(secret) && !logs.join('').includes(secret), told)
    }
  })
}

test('a URL with a password that reply.proxy is given is in no answer and no log line', async (t) => {
  const logs: string[] = []
  const app = await start(t, { adHoc: { origins: () => true }, routes: [] }, {
    fastify: { logger: { level: 'trace', stream: { write: (line: string) => { logs.push(line) } } } },
    after: (app) => { app.get('/x', (request, reply) => reply.proxy(urls[Number((request.query as { n: string }).n)]!)) }
  })
  for (const index of urls.keys()) {
    const { status, body } = await app.get(`/x?n=${index}`)
    assert.equal(status, 500)
    assert.ok(!body.includes(secret))
  }
  assert.ok(!logs.join('').includes(secret), logs.find((line) => line.includes(secret)))
})

test('a canary that setCanary does not know is told without a password', async (t) => {
  const app = await start(t, { upstream: 'http://127.0.0.1:9' })
  assert.throws(() => { app.app.proxy.setCanary(urls[0]!, 'x', { weight: 1 }) }, (error: Error) => !error.message.includes(secret))
  assert.throws(() => { app.app.proxy.setCanary('/*', urls[0]!, { weight: 1 }) }, (error: Error) => !error.message.includes(secret))
})

test('the authority of a target is not for the access log', async (t) => {
  const upstream = await origin(t, answer(200))
  const app = await start(t, { upstream: upstream.url })
  for (const target of [`http://svc:${secret}@x/path?key=${secret}`, 'http://x/path']) {
    await raw(t, app.port, `GET ${target} HTTP/1.1\r\nHost: x\r\n\r\n`)
    assert.equal((await app.line())['path'], '/path')
  }
  assert.ok(!JSON.stringify(app.logs).includes(secret))
})
