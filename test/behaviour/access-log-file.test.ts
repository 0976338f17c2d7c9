import assert from 'node:assert/strict'
import type { EventEmitter } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import Fastify, { type FastifyServerOptions } from 'fastify'
import proxy from '../../lib/index.ts'
import { answer, origin } from '../helpers/origin.ts'
import { isAccessLine, start, type LogLine } from '../helpers/proxy.ts'
import { launch } from '../helpers/program.ts'

const require = createRequire(import.meta.url)
const pino = createRequire(require.resolve('fastify'))('pino') as { destination (options: object): EventEmitter & { write (text: string): void, end (): void } }

const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'

/** The lines of an app that logs to a file and is closed after `urls`. */
async function linesOf (t: TestContext, upstream: string, urls: readonly string[], options: FastifyServerOptions['logger'] = {}, route: object = {}): Promise<LogLine[]> {
  const folder = mkdtempSync(join(tmpdir(), 'access-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'log')
  const app = Fastify({ logger: { ...options as object, file }, disableRequestLogging: true } as FastifyServerOptions)
  await app.register(proxy, { routes: [{ url: '/*', upstream, ...route, onRequest: async (request) => { if (request.url === '/talks') request.log.info('own line') } }] })
  const address = await app.listen({ port: 0, host: '127.0.0.1' })
  // Behind the last line break is a line that is still being written.
  const lines = (): LogLine[] => readFileSync(file, 'utf8').split('\n').slice(0, -1).map((text) => Object.defineProperty(JSON.parse(text) as LogLine, 'text', { value: text }))
  for (const url of urls) await (await fetch(address + url, { headers: { traceparent } })).text()
  // A line is written behind the response that it is about.
  while (lines().filter(isAccessLine).length < urls.length) await new Promise((resolve) => setImmediate(resolve))
  await app.close()
  return lines()
}

test('a file gets the same access line as every other stream', async (t) => {
  const upstream = await origin(t, answer(200, 'ok'), answer(200, 'ok'))
  const app = await start(t, { routes: [{ url: '/*', upstream: upstream.url }] })
  await app.request('/a?b=c', { headers: { traceparent } })
  const streamed = await app.line(isAccessLine)

  const filed = (await linesOf(t, upstream.url, ['/a?b=c'])).find(isAccessLine)!

  assert.deepEqual(Object.keys(filed), Object.keys(streamed))
  for (const field of ['level', 'msg', 'reqId', 'trace_id', 'route', 'path', 'status', 'method', 'endpoint', 'bytesOut', 'pid', 'hostname']) {
    assert.deepEqual(filed[field], streamed[field], field)
  }
})

test('a request that logged something itself has its access line too, with the same ids', async (t) => {
  const upstream = await origin(t, answer(200, 'ok'), answer(200, 'ok'))
  const lines = (await linesOf(t, upstream.url, ['/talks', '/quiet'])).filter((line) => 'reqId' in line)
  assert.deepEqual(lines.map(({ msg, reqId }) => [msg, reqId]), [['own line', 'req-1'], ['proxied', 'req-1'], ['proxied', 'req-2']])
  assert.equal(lines[0]!['span_id'], lines[1]!['span_id'])
})

for (const [what, route, ids] of [['where trust decides', { trust: () => true }, 1], ['where the trace is restarted', { trace: 'restart' }, 1], ['without a trace', { trace: false }, 0]] as const) {
  test(`the lines of a file are whole ${what}, those of pino's and those that are printed for it`, async (t) => {
    const upstream = await origin(t, answer(200, 'ok'), answer(200, 'ok'))
    const lines = (await linesOf(t, upstream.url, ['/talks', '/quiet'], { base: null } as object, route)).filter(isAccessLine)
    assert.deepEqual(lines.map(({ path }) => path), ['/talks', '/quiet'])
    for (const [index, line] of lines.entries()) {
      assert.equal(line['reqId'], `req-${index + 1}`)
      // In the text: a field that came twice would be parsed to one.
      assert.equal(line['text'].match(/"trace_id":"[0-9a-f]{32}"/g)?.length ?? 0, ids)
      assert.equal(line['text'].match(/"span_id":"[0-9a-f]{16}"/g)?.length ?? 0, ids)
    }
    assert.deepEqual(Object.keys(lines[0]!), Object.keys(lines[1]!))
  })
}

test('what the app redacts is redacted in a file', async (t) => {
  const upstream = await origin(t, answer(200, 'ok'))
  const lines = await linesOf(t, upstream.url, ['/talks', '/quiet'], { level: 'info', redact: ['path'] })
  assert.equal(lines.filter(isAccessLine).length, 2)
  assert.ok(lines.filter(isAccessLine).every(({ path }) => path === '[Redacted]'))
})

test('a process that ends in the turn of an exchange has its line, where pino keeps lines in memory too', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'access-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const program = launch(t, 'test/behaviour/access-log-exit-program.js', [join(folder, 'log')])
  assert.equal(await program.exited, 0, program.stderr)
  assert.equal(readFileSync(join(folder, 'log'), 'utf8').match(/"msg":"proxied"}\n/g)?.length, 1)
})

test('a process may have more apps with a log than Node takes listeners for', async (t) => {
  const warnings: Error[] = []
  function onWarning (warning: Error): void { warnings.push(warning) }
  process.on('warning', onWarning)
  t.after(() => { process.removeListener('warning', onWarning) })
  for (let count = 0; count < 12; count++) {
    const app = Fastify({ logger: { stream: { write () {} } } })
    t.after(async () => { await app.close() })
    await app.register(proxy, { upstream: 'http://127.0.0.1:1' })
    await app.ready()
  }
  // Warnings are told in a turn of their own.
  await nextTurn()
  assert.deepEqual(warnings, [])
})

test('an app that ends its log while it closes has the lines of all that it answered', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'access-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'log')
  const upstream = await origin(t, ...Array.from({ length: 3 }, () => answer(200, 'ok')))
  const stream = pino.destination({ dest: file, sync: false })
  const app = Fastify({ logger: { stream }, disableRequestLogging: true } as FastifyServerOptions)
  await app.register(proxy, { upstream: upstream.url })
  // Later than the plugin's own hook, and so earlier when the app closes.
  app.addHook('onClose', async () => { await new Promise((resolve) => { stream.once('close', resolve).end() }) })
  const address = await app.listen({ port: 0, host: '127.0.0.1' })
  for (let count = 0; count < 3; count++) await (await fetch(address)).text()
  await app.close()
  assert.equal(readFileSync(file, 'utf8').match(/"msg":"proxied"}\n/g)?.length, 3)
})
