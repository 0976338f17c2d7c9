import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { request } from '../helpers/client.ts'
import { hang, origin, type Step } from '../helpers/origin.ts'
import { launch, type Program } from '../helpers/program.ts'

async function sluice (t: TestContext, ...args: string[]): Promise<{ program: Program, url: string }> {
  const program = launch(t, 'lib/cli.js', [...args, '--port', '0'])
  const url = await program.until('the address', ({ stderr }) => /listens on (http:\/\/\S+)/.exec(stderr)?.[1])
  return { program, url }
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`${signal} lets the exchange under way finish, takes no more, and ends with 0`, async (t) => {
    let waiting: ServerResponse | null = null
    const later: Step = (_request, response) => { waiting = response }
    const upstream = await origin(t, later)
    const { program, url } = await sluice(t, '--to', upstream.url)
    const underWay = request(`${url}/`, { timeout: 30_000 })
    await upstream.arrived(1)

    program.kill(signal)
    await program.until('the end to begin', ({ stderr }) => stderr.includes(`${signal}: sluice finishes what is under way`))
    // Until the socket that listens is closed, and what waits in its queue is reset, a request may still be taken and told.
    const late = await request(`${url}/late`).then(({ status }) => status, ({ code }) => code)
    assert.ok([503, 'ECONNREFUSED', 'ECONNRESET'].includes(late), late)
    assert.equal(program.isOver, false)
    waiting!.end('whole')

    const response = await underWay
    assert.deepEqual([response.status, response.body, response.aborted], [200, 'whole', false])
    assert.equal(await program.exited, 0)
    assert.equal(upstream.hits, 1)
  })
}

test('a second signal ends it at once', async (t) => {
  const upstream = await origin(t, hang())
  for (const [signal, code] of [['SIGTERM', 143], ['SIGINT', 130]] as const) {
    const { program, url } = await sluice(t, '--to', upstream.url)
    const cut = assert.rejects(request(`${url}/`, { timeout: 30_000 }), { code: 'ECONNRESET' })
    await upstream.arrived(upstream.hits + 1)

    program.kill(signal)
    await program.until('the end to begin', ({ stderr }) => stderr.includes('once more ends it at once'))
    program.kill(signal)

    assert.equal(await program.exited, code)
    await cut
  }
})

test('a timer that a module of options keeps does not keep the program', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-'))
  t.after(() => rm(folder, { recursive: true }))
  const config = join(folder, 'proxy.mjs')
  await writeFile(config, "setInterval(() => {}, 1000)\nexport default { upstream: 'http://127.0.0.1:1' }")
  const { program } = await sluice(t, '--config', config)

  program.kill('SIGTERM')

  assert.equal(await program.exited, 0)
})
