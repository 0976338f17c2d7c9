import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import { request, type Response } from '../helpers/client.ts'
import { launch, type Program } from '../helpers/program.ts'

/** One line to try, with the comment above it. */
interface Line {
  about: string
  url: string
  headers: Record<string, string>
}

async function demonstration (t: TestContext): Promise<{ program: Program, lines: Line[] }> {
  const program = launch(t, 'examples/demonstration.js', [], { PORT: '0' })
  await program.until('the lines to try', ({ stdout }) => stdout.includes('Ctrl-C ends it'))
  const lines = Array.from(program.stdout.matchAll(/^# (.+)\n(curl .+)$/gm), ([, about, command]): Line => ({
    about: about!,
    url: /http:\S+/.exec(command!)![0],
    headers: Object.fromEntries(Array.from(command!.matchAll(/-H '([^:]+): ([^']+)'/g), ([, name, value]) => [name, value]))
  }))
  return { program, lines }
}

function run ({ url, headers }: Line): Promise<Response> {
  return request(url, { headers })
}

test('npm start prints lines to try, and each does what its comment says', async (t) => {
  const { program, lines } = await demonstration(t)
  const promises: [about: RegExp, check: (response: Response, line: Line) => void][] = [
    [/^the stable version answers$/, (response, { url }) => {
      assert.equal(new URL(url).pathname, '/')
      assert.equal(response.status, 200)
      assert.equal(JSON.parse(response.body).version, 'stable')
    }],
    [/^the canary answers$/, (response, { headers }) => {
      assert.deepEqual(headers, { 'x-canary': 'true' })
      assert.equal(JSON.parse(response.body).version, 'canary')
    }],
    [/^the upstream sees this trace id, and a parent id of the gateway's$/, (response, line) => {
      const received = JSON.parse(response.body).headers['traceparent']
      const [, traceId, parentId] = line.headers['traceparent']!.split('-')
      assert.match(received, /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/)
      assert.equal(received.split('-')[1], traceId)
      assert.notEqual(received.split('-')[2], parentId)
    }],
    [/^401: no token/, (response, { url, headers }) => {
      assert.deepEqual([new URL(url).pathname, headers], ['/private/', {}])
      assert.equal(response.status, 401)
    }],
    [/^200: x-user-id comes from the token/, (response, { url, headers }) => {
      const received = JSON.parse(response.body)
      assert.equal(new URL(url).pathname, '/private/')
      assert.match(headers['authorization']!, /^Bearer ./)
      assert.equal(response.status, 200)
      assert.deepEqual([received.headers['x-user-id'], received.headers['authorization']], ['ada', undefined])
      assert.equal(headers['x-user-id'], 'mallory')
    }],
    [/^502: nobody listens/, (response) => {
      assert.equal(response.status, 502)
      assert.equal(response.headers['proxy-status'], 'sluice; error=connection_refused')
    }],
    [/^what has been counted, as Prometheus scrapes it$/, (response) => {
      assert.equal(response.headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8')
      assert.match(response.body, /^sluice_requests_total\{route="\/down\/\*",upstream="down",variant="stable",method="GET",code="502",error="connection_refused"\} 1$/m)
    }]
  ]
  assert.equal(lines.length, promises.length, program.stdout)
  for (const [index, [about, check]] of promises.entries()) {
    const line = lines[index]!
    assert.match(line.about, about)
    check(await run(line), line)
  }
  // And one line of the log for each that went through the gateway.
  await program.until('the log', ({ stdout }) => stdout.split('"msg":"proxied"').length === lines.length)
  assert.equal(program.stderr, '')
})

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  test(`the demonstration ends with its upstreams on ${signal}`, async (t) => {
    const { program, lines } = await demonstration(t)
    const port = JSON.parse((await run(lines[0]!)).body).headers.host.split(':')[1]
    assert.equal((await request(`http://127.0.0.1:${port}/`)).status, 200)

    program.kill(signal)

    assert.equal(await program.exited, 0)
    await assert.rejects(run(lines[0]!), { code: 'ECONNREFUSED' })
    await assert.rejects(request(`http://127.0.0.1:${port}/`), { code: 'ECONNREFUSED' })
  })
}

test('the demonstration says in one line when its port is taken', async (t) => {
  const { lines } = await demonstration(t)
  const { port } = new URL(lines[0]!.url)
  const second = launch(t, 'examples/demonstration.js', [], { PORT: port })

  assert.equal(await second.exited, 1)
  assert.equal(second.stderr, `listen EADDRINUSE: address already in use 127.0.0.1:${port}; PORT=3001 npm start takes another port\n`)
})
