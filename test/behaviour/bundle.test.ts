import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createRequire } from 'node:module'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { build, type BuildOptions } from 'esbuild'

/* A program and everything that it loads in one file, away from node_modules: Lambda, images without npm, single executables. */

const run = promisify(execFile)
const folder = mkdtempSync(join(tmpdir(), 'sluice-bundle-'))
after(() => { rmSync(folder, { recursive: true }) })

const { version } = createRequire(import.meta.url)('undici/package.json') as { version: string }

const main = `
  async function main () {
    const upstream = createServer((request, response) => { request.resume().on('end', () => response.end(request.method + ' ' + request.url)) }).listen(0, '127.0.0.1')
    await new Promise((resolve) => upstream.once('listening', resolve))
    const app = Fastify()
    await app.register(proxy, { prefix: '/api', upstream: 'http://127.0.0.1:' + upstream.address().port, body: { rewrite: [['x', 'y']] } })
    app.get('/m', app.proxy.metrics.handler)
    const url = await app.listen({ port: 0, host: '127.0.0.1' })
    const response = await fetch(url + '/api/x?y', { method: 'POST', body: 'abc' })
    const metrics = await (await fetch(url + '/m')).text()
    const refused = await fetch(url + '/api/..;/x')
    const problem = [refused.status, refused.headers.get('content-type')]
    console.log(JSON.stringify([response.status, await response.text(), /undici="([^"]*)"/.exec(metrics)[1], ...problem]))
    await app.close()
    upstream.close()
  }
  main()
`
const imported = `import Fastify from 'fastify'\nimport { createServer } from 'node:http'\nimport proxy from '../../lib/index.js'\n${main}`
const required = `const Fastify = require('fastify')\nconst { createServer } = require('node:http')\nconst proxy = require('../../lib/index.js')\n${main}`

const forms: readonly (readonly [form: string, contents: string, file: string, options: BuildOptions])[] = [
  ['CommonJS', imported, 'a.cjs', { format: 'cjs' }],
  ['minified CommonJS', imported, 'b.cjs', { format: 'cjs', minify: true }],
  ['CommonJS that requires the plugin', required, 'c.cjs', { format: 'cjs' }],
  // Fastify and undici are CommonJS, and require what Node brings along.
  ['an ES module', imported, 'd.mjs', { format: 'esm', banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" } }]
]

for (const [form, contents, file, options] of forms) {
  test(`proxies from a bundle that is ${form}, knows the undici in it, and answers errors as problems`, async () => {
    const stdin = { contents, resolveDir: fileURLToPath(new URL('.', import.meta.url)) }
    const outfile = join(folder, file)
    const { warnings } = await build({ stdin, outfile, bundle: true, platform: 'node', logLevel: 'silent', ...options })
    assert.deepEqual(warnings, [])

    const { stdout } = await run(process.execPath, [outfile], { cwd: folder })

    assert.deepEqual(JSON.parse(stdout), [200, 'POST /y?y', version, 400, 'application/problem+json; charset=utf-8'])
  })
}
