import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { version } from '../../lib/version.ts'
import { request } from '../helpers/client.ts'
import { answer, echo, origin } from '../helpers/origin.ts'
import { launch, type Program } from '../helpers/program.ts'
import { isAccessLine, type LogLine } from '../helpers/proxy.ts'

/** Runs `sluice` on a free port, and gives the address that it prints. */
async function sluice (t: TestContext, ...args: string[]): Promise<{ program: Program, url: string }> {
  const program = launch(t, 'lib/cli.js', [...args, '--port', '0'])
  const url = await program.until('the address', ({ stderr }) => /listens on (http:\/\/\S+)[^]*\n/.exec(stderr)?.[1])
  return { program, url }
}

/** A folder with one file, gone after the test. */
async function file (t: TestContext, name: string, text: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-'))
  t.after(() => rm(folder, { recursive: true }))
  await writeFile(join(folder, name), text)
  return join(folder, name)
}

/** Runs it to its end, which has to be a refusal. */
async function refusal (t: TestContext, ...args: string[]): Promise<string> {
  const program = launch(t, 'lib/cli.js', args)
  assert.equal(await program.exited, 1)
  assert.equal(program.stdout, '')
  assert.doesNotMatch(program.stderr, /^\s+at /m, 'no stack')
  return program.stderr
}

/** What it has logged, once `count` exchanges are in it: each line may come after its response. */
async function linesOf (program: Program, count: number): Promise<LogLine[]> {
  return program.until(`${count} access lines`, ({ stdout }) => {
    const lines: LogLine[] = stdout.split('\n').slice(0, -1).map((line) => JSON.parse(line))
    return lines.filter(isAccessLine).length === count && lines
  })
}

test('--to forwards everything to a URL, says where it listens, and logs one line per request', async (t) => {
  const upstream = await origin(t, echo())
  const { program, url } = await sluice(t, '--to', upstream.url)

  const response = await request(`${url}/a%2Fb?c=%20d`, { method: 'PUT', body: 'hello', headers: { 'x-own': '1' } })

  const seen = JSON.parse(response.body)
  assert.deepEqual([response.status, seen.method, seen.url, seen.body, seen.headers['x-own']], [200, 'PUT', '/a%2Fb?c=%20d', 'hello', '1'])
  const lines = await linesOf(program, 1)
  assert.deepEqual(lines.map(({ msg }) => msg), [`Server listening at ${url}`, 'proxied'])
  assert.deepEqual([lines[1]!['route'], lines[1]!['status'], lines[1]!['path']], ['/*', 200, '/a%2Fb'])
  // All of it: no warning of anything deprecated.
  assert.equal(program.stderr, `sluice listens on ${url} and forwards to ${upstream.url}\n`)
})

test('--config takes the options from a JSON file', async (t) => {
  const stable = await origin(t, answer(200, 'stable'))
  const canary = await origin(t, answer(200, 'canary'))
  const config = await file(t, 'proxy.json', JSON.stringify({
    upstreams: { stable: stable.url, canary: { endpoints: [canary.url] } },
    routes: [{ url: '/orders/*', upstream: 'stable', canary: { upstream: 'canary', header: 'x-canary' } }]
  }))
  const { program, url } = await sluice(t, '--config', config)

  const bodies = [
    (await request(`${url}/orders/7`)).body,
    (await request(`${url}/orders/7`, { headers: { 'x-canary': 'true' } })).body
  ]

  assert.deepEqual(bodies, ['stable', 'canary'])
  assert.equal((await request(`${url}/elsewhere`)).status, 404)
  assert.equal(program.stderr, `sluice listens on ${url}\n`)
  const lines = await linesOf(program, 2)
  assert.deepEqual(lines.filter(isAccessLine).map(({ variant }) => variant), ['stable', 'canary'])
})

test('--config takes the options from the default export of a module, functions too', async (t) => {
  const upstream = await origin(t, echo())
  const options = `{ upstream: '${upstream.url}', credentials: (request) => ({ 'x-user-id': 'user-' + request.headers['x-number'] }) }`
  for (const [name, text] of [['proxy.mjs', `export default ${options}`], ['proxy.cjs', `module.exports = ${options}`]] as const) {
    const { url } = await sluice(t, '--config', await file(t, name, text))
    const response = await request(`${url}/`, { headers: { 'x-number': '7', 'x-user-id': 'forged' } })
    assert.equal(JSON.parse(response.body).headers['x-user-id'], 'user-7', name)
  }
})

test('--help and --version go to stdout', async (t) => {
  const help = launch(t, 'lib/cli.js', ['--help'])
  const number = launch(t, 'lib/cli.js', ['--version'])

  assert.equal(await help.exited, 0)
  for (const flag of ['--to', '--config', '--port', '--host', '--help', '--version']) assert.ok(help.stdout.includes(flag), flag)
  assert.equal(await number.exited, 0)
  assert.equal(number.stdout, `${version}\n`)
  assert.equal(help.stderr + number.stderr, '')
})

test('a wrong command line ends it with every problem, and without a stack', async (t) => {
  assert.equal(await refusal(t, '--to', 'localhost:8080', '--prot', '--port=x'), `fastify-sluice: 3 problems in the options
  --prot: is not an option; did you mean '--port'?
  --to: must be an http or https URL without query, such as 'http://localhost:8080', or a Unix socket, such as 'unix:/run/app.sock', not 'localhost:8080'
  --port: must be a number from 0 to 65535, not 'x'
`)
})

test('wrong options in a file end it with every problem, and without a stack', async (t) => {
  const config = await file(t, 'proxy.json', JSON.stringify({
    routes: [{ url: '/a/*', upstream: 'a', timeout: {} }, { url: '/b', upstream: 'http://b', timeouts: { head: '1s' } }]
  }))
  assert.equal(await refusal(t, '--config', config, '--port', '0'), `fastify-sluice: 2 problems in the options
  routes[0].timeout: is not an option; did you mean 'timeouts'?
  routes[1].timeouts.head: must be a whole number, not '1s'
`)
})

test('a file that cannot be read, or that forwards nothing, ends it too', async (t) => {
  const empty = await file(t, 'empty.json', '{ "upstreams": {} }')
  assert.equal(await refusal(t, '--config', '/nowhere/proxy.mjs'), 'fastify-sluice: 1 problem in the options\n  /nowhere/proxy.mjs: cannot be read: ENOENT\n')
  assert.equal(await refusal(t, '--config', empty, '--port', '0'), 'fastify-sluice: 1 problem in the options\n  options: forward nothing; give `routes`, or `upstream`\n')
})

test('an address that cannot be listened on ends it with one clear line', async (t) => {
  const other = createServer().listen(0, '127.0.0.1')
  t.after(() => { other.close() })
  await once(other, 'listening')
  const { port } = other.address() as AddressInfo

  assert.equal(await refusal(t, '--to', 'http://a', '--port', `${port}`), `sluice: cannot listen on port ${port} of 127.0.0.1: another program has it; choose another with --port\n`)
  // An address for documentation, which nobody has (RFC 5737).
  assert.equal(await refusal(t, '--to', 'http://a', '--port', '0', '--host', '192.0.2.1'), 'sluice: cannot listen on port 0 of 192.0.2.1: this machine has no such address\n')
})

test('a URL with a password in any place of the command line is told without it', async (t) => {
  const url = "http://svc:a 'hunter2@10.0.0.1"
  for (const args of [['--to', url], [url], ['--config', url], [`--${url}`], ['--to', 'http://a', '--port', url], ['--to', 'http://a', '--host', url]]) {
    assert.doesNotMatch(await refusal(t, ...args), /hunter2/, args.join(' '))
  }
})
