import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fairly } from '../helpers/fair.ts'
import { start } from '../helpers/proxy.ts'
import { fleet } from './fleet.ts'
import { isFull, Load, percentile, rate, slack, until } from './load.ts'

/* Issue 4, Done when 4. In short here, in full with `npm run scenarios`. */

for (const [what, status] of [['answer 503', 503], ['refuse connections', 0]] as const) {
  test(`4: when all endpoints ${what}, they see at most 1.2 requests per client request, and clients wait no more than 100 ms`, (t) => fairly(slack, async () => {
    const members = await fleet(t, [status, status, status])
    let exchanges = 0
    let attempts = 0
    const proxy = await start(t, {
      upstreams: { some: { endpoints: members.map(({ url }) => url) } },
      routes: [{ url: '/*', upstream: 'some', retry: { on: ['connect', 'stale', 503], attempts: 3 } }]
    }, {
      fastify: { logger: false },
      before: (app) => {
        app.addHook('onResponse', async (request) => {
          exchanges++
          attempts += request.proxy!.attempts
        })
      }
    })
    const count = isFull ? 5000 : 600
    const load = new Load(proxy.url)
    await until('all are sent', () => load.sent >= count, 60_000)
    await load.stop()

    const [p99, longest] = [percentile(load.answers, 0.99), percentile(load.answers, 1)]
    t.diagnostic(`${exchanges} GETs at ${rate}/s: ${(attempts / exchanges).toFixed(3)} attempts each, ${JSON.stringify(load.failures)}; ` +
      `p99 ${p99.toFixed(0)} ms, longest ${longest.toFixed(0)} ms`)
    assert.ok(exchanges >= count)
    // In short, the reserve of the budget is more than a share.
    // In short, other tests have the cores too, and may have all of them for half a second.
    assert.ok(percentile(load.answers, isFull ? 0.99 : 0.5) <= 100)
    assert.ok(attempts <= exchanges * 1.2 + (isFull ? 0 : 20))
  }))
}
