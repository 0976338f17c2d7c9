import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import test, { after, before } from 'node:test'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'

/*
 * The package as its users get it: packed, unpacked beside nothing but what it depends on, and loaded from there.
 */

const run = promisify(execFile)
// From dist/test/behaviour, where this runs.
const root = fileURLToPath(new URL('../../../', import.meta.url))
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { name: string, version: string, files: string[], dependencies: object, peerDependencies: object, bin: { sluice: string } }

const app = mkdtempSync(join(tmpdir(), 'sluice-package-'))
const installed = join(app, 'node_modules', manifest.name)
let files: string[] = []

// npm's own script runs on every system; its command is a batch file on Windows, which cannot be started so.
function npm (...args: string[]): Promise<{ stdout: string }> {
  const { npm_execpath: running } = process.env
  const beside = join(dirname(process.execPath), 'node_modules', 'npm', 'bin', 'npm-cli.js')
  const script = running !== undefined && basename(running) === 'npm-cli.js' ? running : beside
  return existsSync(script) ? run(process.execPath, [script, ...args], { cwd: root }) : run('npm', args, { cwd: root })
}

function link (name: string): void {
  const path = join(app, 'node_modules', name)
  mkdirSync(dirname(path), { recursive: true })
  symlinkSync(join(root, 'node_modules', name), path, 'junction')
}

before(async () => {
  // A copy, and without the scripts: they would build anew what these tests run from, and take away the maps that coverage is found by.
  const copy = mkdtempSync(join(tmpdir(), 'sluice-checkout-'))
  for (const name of ['package.json', 'README.md', 'LICENSE', ...manifest.files.filter((name) => !name.startsWith('!'))]) cpSync(join(root, name), join(copy, name), { recursive: true })
  const { dropMaps } = await import(pathToFileURL(join(root, 'scripts', 'build.js')).href) as { dropMaps (folder: string): void }
  for (const part of ['lib', 'types']) dropMaps(join(copy, 'dist', part))
  const { stdout } = await npm('pack', copy, '--json', '--ignore-scripts', '--pack-destination', app)
  rmSync(copy, { recursive: true })
  const [packed] = JSON.parse(stdout) as [{ filename: string, files: { path: string }[] }]
  files = packed.files.map(({ path }) => path)
  await run('tar', ['-xzf', packed.filename], { cwd: app })
  mkdirSync(join(app, 'node_modules'))
  cpSync(join(app, 'package'), installed, { recursive: true })
  // Nothing of what is only for development: who forgets a dependency notices here.
  for (const name of Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies })) link(name)
})

after(() => { rmSync(app, { recursive: true }) })

/** Runs a module of the app's, and gives what it prints as JSON. */
async function load (name: string, text: string): Promise<unknown> {
  writeFileSync(join(app, name), text)
  return JSON.parse((await run(process.execPath, [join(app, name)], { cwd: app })).stdout)
}

test('the package has the code, its declarations and its documents, and nothing else', () => {
  const strange = files.filter((path) => !/^dist\/(lib|types)\/[\w/-]+\.(js|d\.ts)$|^ops\/(grafana|prometheus)\/|^docs\/performance\/[\w-]+\.svg$/.test(path))

  assert.deepEqual(strange.sort(), ['CHANGELOG.md', 'LICENSE', 'README.md', 'SECURITY.md', 'docs/access-log.md', 'docs/architecture.md', 'docs/http.md', 'docs/operations.md', 'docs/performance.md', 'docs/several-cores.md', 'package.json'])
  assert.ok(files.includes('ops/prometheus/rules.yml') && files.includes('ops/grafana/gateway.json'))
  assert.ok(files.includes('dist/lib/index.js') && files.includes('dist/lib/index.d.ts') && files.includes('dist/types/fastify.d.ts'))
})

test('no file leads to a source map: the sources are not in the package', () => {
  const scripts = files.filter((path) => path.endsWith('.js'))
  assert.ok(scripts.length > 100)
  assert.deepEqual(scripts.filter((path) => readFileSync(join(installed, path), 'utf8').includes('sourceMappingURL')), [])
})

test('maps are left out also where somebody packs without the scripts', async () => {
  const { stdout } = await npm('pack', root, '--json', '--ignore-scripts', '--dry-run')
  const [packed] = JSON.parse(stdout) as [{ files: { path: string }[] }]
  assert.deepEqual(packed.files.map(({ path }) => path).filter((path) => path.endsWith('.map')), [])
})

test('import gives the plugin as default and by name, and the errors', async () => {
  const seen = await load('a.mjs', `
    import proxy, * as all from '${manifest.name}'
    console.log(JSON.stringify({ names: Object.keys(all).sort(), type: typeof proxy, isSame: proxy === all.proxy, error: all.ProxyError.prototype instanceof Error }))
  `)

  assert.deepEqual(seen, { names: ['ConfigError', 'ProxyError', 'default', 'gatherMetrics', 'module.exports', 'proxy'], type: 'function', isSame: true, error: true })
})

test('require gives the plugin itself, the same one as import, and on it what is imported by name', async () => {
  const seen = await load('b.cjs', `
    const proxy = require('${manifest.name}')
    import('${manifest.name}').then((all) => {
      const missing = Object.keys(all).filter((name) => name !== 'module.exports' && proxy[name] !== all[name])
      console.log(JSON.stringify({ type: typeof proxy, isImported: proxy === all.default, missing, version: require('${manifest.name}/package.json').version }))
    })
  `)

  assert.deepEqual(seen, { type: 'function', isImported: true, missing: [], version: manifest.version })
})

for (const [name, start] of Object.entries({
  'c.mjs': `import Fastify from 'fastify'; import { createServer } from 'node:http'; import proxy from '${manifest.name}'; async`,
  'c.cjs': `const Fastify = require('fastify'); const { createServer } = require('node:http'); const proxy = require('${manifest.name}'); async`
})) {
  test(`a program that loads it by ${name === 'c.mjs' ? 'import' : 'require'} proxies with it`, async () => {
    const seen = await load(name, `${start} function main () {
      const upstream = createServer((request, response) => response.end('answer to ' + request.url)).listen(0, '127.0.0.1')
      await new Promise((resolve) => upstream.once('listening', resolve))
      const app = Fastify()
      await app.register(proxy, { prefix: '/api', upstream: 'http://127.0.0.1:' + upstream.address().port })
      const url = await app.listen({ port: 0, host: '127.0.0.1' })
      const response = await fetch(url + '/api/x')
      console.log(JSON.stringify({ status: response.status, body: await response.text() }))
      await app.close()
      upstream.close()
    }
    main()`)

    assert.deepEqual(seen, { status: 200, body: 'answer to /x' })
  })
}

test('Bun is told what to do when the plugin is registered: it has other sockets of the same names', async () => {
  const seen = await load('bun.mjs', `
    import Fastify from 'fastify'
    import proxy, { ConfigError } from '${manifest.name}'
    Object.defineProperty(process, 'versions', { value: { ...process.versions, bun: '1.4.5' } })
    const error = await Fastify().register(proxy, { upstream: 'http://127.0.0.1:9' }).then(() => null, (error) => error)
    console.log(JSON.stringify({ isTyped: error instanceof ConfigError, problems: error.problems }))
  `)

  assert.deepEqual(seen, { isTyped: true, problems: [{ path: 'runtime', message: 'must be Node.js, not Bun 1.4.5, whose HTTP server and undici are not Node\'s' }] })
})

test('its program runs, and says its version', async () => {
  const program = join(installed, manifest.bin.sluice)

  const { stdout } = await run(process.execPath, [program, '--version'], { cwd: app })

  assert.equal(stdout, `${manifest.version}\n`)
  // What makes it a program where npm links to it.
  assert.match(readFileSync(program, 'utf8'), /^#!\/usr\/bin\/env node\n/)
})

const modules: Record<string, string> = {
  'typed.mts': `
    import Fastify from 'fastify'
    import proxy, { proxy as named, ConfigError, ProxyError, type Exchange, type ProxyOptions, type RequestHead } from '${manifest.name}'
    const app = Fastify()
    const options: ProxyOptions = { upstream: 'http://a', onProxyRequest: (head: RequestHead, exchange: Exchange) => { head.headers['x-variant'] = exchange.variant } }
    await app.register(proxy, options)
    await app.register(named, { routes: [{ url: '/a', upstream: 'http://a' }] })
    app.get('/', (request, reply) => reply.proxy('a', { path: request.proxy?.upstreamPath ?? '/' }))
    export const errors: Error[] = [new ConfigError([]), new ProxyError()]
    // @ts-expect-error: no such option; that the types refuse it is what is tested here
    await app.register(proxy, { upstreem: 'http://a' })
  `,
  'typed.cts': `
    import Fastify = require('fastify')
    import proxy = require('${manifest.name}')
    import type { ProxyOptions } from '${manifest.name}'
    const app = Fastify.fastify()
    const options: ProxyOptions = { upstream: 'http://a' }
    app.register(proxy, options)
    app.proxy.route({ url: '/a', upstream: 'http://a' })
    export const errors: Error[] = [new proxy.ConfigError([]), new proxy.ProxyError()]
    // @ts-expect-error: no such option; that the types refuse it is what is tested here
    app.register(proxy, { upstreem: 'http://a' })
  `,
  'default.cts': `
    import proxy, { type ProxyOptions } from '${manifest.name}'
    import Fastify from 'fastify'
    const options: ProxyOptions = { upstream: 'http://a' }
    Fastify().register(proxy, options)
  `
}

test('its declarations are whole: TypeScript checks them, and programs of both kinds against them', async () => {
  link('@types/node')
  for (const [name, text] of Object.entries(modules)) writeFileSync(join(app, name), text)
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  const flags = ['--noEmit', '--strict', '--exactOptionalPropertyTypes', '--target', 'es2022', '--module', 'nodenext', '--skipLibCheck', 'false', '--types', 'node']

  const { stdout } = await run(process.execPath, [tsc, ...flags, ...Object.keys(modules)], { cwd: app }).catch((error: { stdout: string }) => error)

  assert.equal(stdout, '')
})
