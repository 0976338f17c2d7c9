import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test, type TestContext } from 'node:test'
import grpc, { type handleBidiStreamingCall, type handleClientStreamingCall, type handleServerStreamingCall, type handleUnaryCall, type UntypedServiceImplementation } from '@grpc/grpc-js'
import type { FastifyServerOptions } from 'fastify'
import { fairly } from '../helpers/fair.ts'
import { grpcClient, grpcServer, type GrpcClient } from '../helpers/grpc.ts'
import { connectHttp2, http2Origin } from '../helpers/http2.ts'
import { refusedPort } from '../helpers/origin.ts'
import { onceRead } from '../helpers/until.ts'
import { start, type Started } from '../helpers/proxy.ts'
import { ca, server as identity } from '../helpers/tls.ts'
import type { ProxyOptions } from '../../types/index.ts'

/** As gRPC frames the message 'a'. */
const message = Buffer.from([0, 0, 0, 0, 1, 0x61])

const unary: handleUnaryCall<string, string> = (call, callback) => {
  const initial = new grpc.Metadata()
  initial.set('x-initial', String(call.metadata.get('x-sent')[0] ?? ''))
  call.sendMetadata(initial)
  const trailing = new grpc.Metadata()
  trailing.set('x-trailing', 'yes')
  trailing.set('x-binary-bin', Buffer.from([0, 255]))
  callback(null, `echo ${call.request}`, trailing)
}

const fail: handleUnaryCall<string, string> = (_call, callback) => {
  callback({ code: grpc.status.NOT_FOUND, details: 'n\u00e3o h\u00e1 100 %' })
}

const upload: handleClientStreamingCall<string, string> = (call, callback) => {
  const parts: string[] = []
  call.on('data', (part: string) => parts.push(part))
  call.on('end', () => { callback(null, parts.join(' ')) })
}

const download: handleServerStreamingCall<string, string> = (call) => {
  for (const part of call.request.split(' ')) call.write(part)
  call.end()
}

const both: handleBidiStreamingCall<string, string> = (call) => {
  call.on('data', (part: string) => call.write(`echo ${part}`))
  call.on('end', () => { call.end() })
}

async function through (t: TestContext, methods: UntypedServiceImplementation, options: Partial<ProxyOptions> = {}): Promise<{ client: GrpcClient, proxy: Started }> {
  const port = await grpcServer(t, methods)
  const proxy = await start(t, { upstream: { endpoints: [`http://127.0.0.1:${port}`], pool: { protocol: 'h2' } }, ...options }, { fastify: { http2: true } as FastifyServerOptions })
  return { client: grpcClient(t, `127.0.0.1:${proxy.port}`), proxy }
}

const all: UntypedServiceImplementation = { unary, upload, download, both } as UntypedServiceImplementation

test('a unary call passes with its metadata, in front and behind', async (t) => {
  const { client } = await through(t, all)
  const metadata = new grpc.Metadata()
  metadata.set('x-sent', 'value')

  const { messages, metadata: initial, status } = await client.unary('hello', metadata)

  assert.deepEqual(messages, ['echo hello'])
  assert.deepEqual(initial!.get('x-initial'), ['value'])
  assert.equal(status!.code, grpc.status.OK)
  assert.deepEqual(status!.metadata.get('x-trailing'), ['yes'])
  assert.deepEqual(status!.metadata.get('x-binary-bin'), [Buffer.from([0, 255])])
})

test('a status that a server answers with at once (Trailers-Only) passes', async (t) => {
  const { client } = await through(t, { unary: fail } as UntypedServiceImplementation)

  const { error, messages } = await client.unary('hello')

  assert.deepEqual([error!.code, error!.details, messages], [grpc.status.NOT_FOUND, 'n\u00e3o h\u00e1 100 %', []])
})

test('a stream of requests passes', async (t) => {
  const { client } = await through(t, all)

  const answer = await new Promise((resolve, reject) => {
    const call = client.upload((error, value) => { error === null ? resolve(value) : reject(error) })
    for (const part of ['a', 'b', 'c']) call.write(part)
    call.end()
  })

  assert.equal(answer, 'a b c')
})

test('a stream of answers passes', async (t) => {
  const { client } = await through(t, all)

  const parts: string[] = []
  const call = client.download('a b c')
  call.on('data', (part: string) => parts.push(part))
  const [status] = await once(call, 'status')

  assert.deepEqual([parts, status.code], [['a', 'b', 'c'], grpc.status.OK])
})

test('questions and answers take turns on one stream', async (t) => {
  const { client } = await through(t, all)
  const call = client.both()
  const ended = once(call, 'status')

  for (const part of ['a', 'b', 'c']) {
    call.write(part)
    const [answer] = await once(call, 'data')
    assert.equal(answer, `echo ${part}`)
  }
  call.end()
  call.resume()

  assert.equal((await ended)[0].code, grpc.status.OK)
})

test('large messages pass both ways', async (t) => {
  const { client } = await through(t, all)
  const large = 'x'.repeat(2 * 1024 * 1024)

  const { messages } = await client.unary(large)

  assert.equal(messages[0], `echo ${large}`)
})

test('over TLS on both sides', async (t) => {
  const secure = grpc.ServerCredentials.createSsl(null, [{ cert_chain: Buffer.from(identity.cert), private_key: Buffer.from(identity.key) }])
  const port = await grpcServer(t, all, secure)
  const proxy = await start(t, { upstream: { endpoints: [`https://127.0.0.1:${port}`], pool: { protocol: 'h2', tls: { ca } } } }, { fastify: { http2: true, https: identity } as never })
  const client = grpcClient(t, `localhost:${proxy.port}`, grpc.credentials.createSsl(Buffer.from(ca)))

  assert.deepEqual((await client.unary('hello')).messages, ['echo hello'])
})

test('a client that cancels cancels the call of the server', async (t) => {
  let cancelled = (): void => {}
  const isCancelled = new Promise<void>((resolve) => { cancelled = resolve })
  const { client } = await through(t, { ...all, download: ((call) => { call.on('cancelled', cancelled); call.write('a') }) as handleServerStreamingCall<string, string> })

  const call = client.download('a')
  call.on('error', () => {})
  await once(call, 'data')
  call.cancel()

  await isCancelled
})

test('a stream that a server breaks off is an error, never an end', async (t) => {
  const upstream = await http2Origin(t, (stream) => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
    stream.write(message, () => { onceRead(() => { stream.close(0) }) })
  })
  const proxy = await start(t, { upstream: { endpoints: [upstream.url], pool: { protocol: 'h2' } } }, { fastify: { http2: true } as FastifyServerOptions })
  const client = grpcClient(t, `127.0.0.1:${proxy.port}`)

  const call = client.download('a')
  const parts: string[] = []
  call.on('data', (part: string) => parts.push(part))
  const [error] = await once(call, 'error')

  assert.deepEqual([parts, error.code], [['a'], grpc.status.INTERNAL])
})

test('an upstream that is not there is UNAVAILABLE', async (t) => {
  const proxy = await start(t, { upstream: { endpoints: [`http://127.0.0.1:${await refusedPort()}`], pool: { protocol: 'h2' } } }, { fastify: { http2: true } as FastifyServerOptions })
  const client = grpcClient(t, `127.0.0.1:${proxy.port}`)

  const { error } = await client.unary('hello')

  assert.deepEqual([error!.code, error!.details], [grpc.status.UNAVAILABLE, 'the upstream refused the connection'])
})

test('an upstream that does not answer in time is DEADLINE_EXCEEDED', async (t) => {
  const { client, proxy } = await through(t, { ...all, unary: () => {} } as UntypedServiceImplementation, { timeouts: { head: 80 } })

  assert.equal((await client.unary('hello')).error!.code, grpc.status.DEADLINE_EXCEEDED)
  assert.equal((await proxy.line()).error, 'http_response_timeout')
})

test('the deadline of the client is one of ours: behind it the upstream is cancelled', async (t) => {
  const upstream = await http2Origin(t, () => {})
  const proxy = await start(t, { upstream: { endpoints: [upstream.url], pool: { protocol: 'h2' } } }, { fastify: { http2: true } as FastifyServerOptions })
  const raw = await connectHttp2(t, proxy.url)

  const response = await raw.request({ ':method': 'POST', ':path': '/test.Echo/Unary', 'content-type': 'application/grpc', te: 'trailers', 'grpc-timeout': '400m' }, { body: message })

  assert.deepEqual([response.status, response.headers['grpc-status'], response.headers['content-type'], response.headOnly], [200, '4', 'application/grpc', true])
  assert.equal((await proxy.line()).error, 'request_timeout')
  await upstream.until('a reset', () => upstream.requests[0]?.reset === 8)
})

test('a path that is refused is INTERNAL, and the upstream sees nothing of it', async (t) => {
  const { proxy } = await through(t, all)
  const raw = await connectHttp2(t, proxy.url)

  const response = await raw.request({ ':method': 'POST', ':path': '/a/../b', 'content-type': 'application/grpc' }, { body: message })

  assert.deepEqual([response.status, response.headers['grpc-status'], response.headOnly], [200, '13', true])
})

test('a stream goes on for longer than the total and idle timeouts while either side speaks', (t) => fairly(40, async () => {
  const { client } = await through(t, { ...all, both: ((call) => { call.sendMetadata(new grpc.Metadata()); call.on('data', () => {}); call.on('end', () => { call.end() }) }) as handleBidiStreamingCall<string, string> }, { timeouts: { idle: 150 } })
  const call = client.both()
  const ended = once(call, 'status')
  call.resume()
  await once(call, 'metadata')

  for (let index = 0; index < 10; index++) {
    call.write('a')
    await new Promise((resolve) => setTimeout(resolve, 40))
  }
  call.end()

  assert.equal((await ended)[0].code, grpc.status.OK)
}))
