import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { request } from '../helpers/client.ts'
import { Scrape } from '../helpers/metrics.ts'
import { answer, origin } from '../helpers/origin.ts'
import { launch, type Program } from '../helpers/program.ts'
import { patience } from '../helpers/until.ts'

type Mode = 'early' | 'late' | 'lonely' | 'several'
type Check = (program: Program, one: string, other: string) => Promise<void>

async function workers (t: TestContext, mode: Mode, check: Check): Promise<void> {
  const upstream = await origin(t, answer(200, 'ok'))
  const program = launch(t, 'test/behaviour/metrics-workers-program.js', [upstream.url, mode])
  const urls = await program.until('both workers', ({ stdout }) => {
    const found = Array.from(stdout.matchAll(/listening (\S+)/g), ([, url]) => url!)
    return found.length === 2 && found
  })
  if (mode === 'late') program.kill('SIGUSR2')
  if (mode === 'late') await program.until('the primary', ({ stdout }) => stdout.includes('gathering'))
  await check(program, urls[0]!, urls[1]!)
  // Not left to be killed: what it ran is to count as covered.
  program.kill('SIGTERM')
  assert.equal(await program.exited, 0)
}

/** Asks one worker until it is so: an exchange counts when its end has been seen, and messages take their time. */
async function until (url: string, count: number): Promise<Scrape> {
  const deadline = performance.now() + patience
  for (;;) {
    const scrape = new Scrape((await request(`${url}/metrics`)).body)
    if (scrape.sum('sluice_requests_total') === count || performance.now() > deadline) return scrape
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

for (const mode of ['early', 'late'] as const) {
  test(`any worker answers for all, when the primary gathers ${mode}`, async (t) => {
    await workers(t, mode, async (_program, one, other) => {
      for (let index = 0; index < 2; index++) await request(one)
      for (let index = 0; index < 3; index++) await request(other)

      for (const url of [one, other]) {
        const scrape = await until(url, 5)
        assert.equal(scrape.sum('sluice_requests_total'), 5)
        assert.equal(scrape.sum('sluice_request_duration_seconds_count'), 5)
        assert.equal(scrape.sum('sluice_upstream_connections_opened_total'), 2)
        // Not sums: states.
        assert.equal(scrape.sum('sluice_endpoint_up'), 1)
        assert.equal(scrape.sum('sluice_build_info'), 1)
      }
    })
  })
}

test('what a worker has counted is kept when it ends, and the primary has it all', async (t) => {
  await workers(t, 'early', async (program, one, other) => {
    for (let index = 0; index < 2; index++) await request(one)
    await request(other)
    await until(one, 3)

    await request(`${one}/exit`).catch(() => {})
    await request(other)
    const scrape = await until(other, 4)
    assert.equal(scrape.sum('sluice_requests_total'), 4)

    program.kill('SIGUSR2')
    const text = await program.until('the text', ({ stdout }) => /^gathered (".*")$/m.exec(stdout)?.[1])
    assert.equal(new Scrape(JSON.parse(text) as string).sum('sluice_requests_total'), 4)
    // From here on it gathers no more: a worker answers for itself.
    assert.equal((await until(other, 2)).sum('sluice_requests_total'), 2)
  })
})

test('without a primary that gathers, a worker answers for itself', async (t) => {
  await workers(t, 'lonely', async (_program, one, other) => {
    await request(one)
    for (let index = 0; index < 2; index++) await request(other)

    assert.equal((await until(one, 1)).sum('sluice_requests_total'), 1)
    assert.equal((await until(other, 2)).sum('sluice_requests_total'), 2)
  })
})

test('several apps in each worker are all counted, and what they counted is kept when they close', async (t) => {
  await workers(t, 'several', async (_program, one, other) => {
    for (const path of ['/one', '/two', '/two']) await request(one + path)
    for (const path of ['/one', '/two']) await request(other + path)
    for (const url of [one, other]) {
      const scrape = await until(url, 5)
      const requests = Object.entries(scrape.of('sluice_requests_total')).map(([labels, count]) => [/route="([^"]*)"/.exec(labels)![1], count])
      assert.deepEqual(requests.sort(), [['/one', 2], ['/two', 3]])
      assert.equal(scrape.sum('sluice_build_info'), 1)
    }

    await request(`${one}/close`)
    assert.equal((await until(one, 5)).sum('sluice_requests_total'), 5)
    await request(`${other}/closeall`)
    await request(`${one}/one`)
    const startedAt = performance.now()
    const scrape = await until(one, 6)
    assert.equal(scrape.sum('sluice_requests_total'), 6)
    assert.ok(performance.now() - startedAt < 1000, 'nobody waits for what has closed')
  })
})
