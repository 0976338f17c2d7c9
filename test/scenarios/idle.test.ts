import assert from 'node:assert/strict'
import { Agent } from 'node:http'
import { test } from 'node:test'
import { fairly } from '../helpers/fair.ts'
import { start } from '../helpers/proxy.ts'
import { lone } from './fleet.ts'
import { type Answer, ask, failures, isFull, pause, slack } from './load.ts'

/* Issue 4, Done when 6. In short here, in full with `npm run scenarios`. */

test('6: an upstream that closes idle connections at random moments costs no GET anything, and gets no POST twice', (t) => fairly(slack, async () => {
  const member = await lone(t, 'closing.js')
  let repeated = 0
  const proxy = await start(t, { upstream: member.url }, {
    fastify: { logger: false },
    before: (app) => {
      app.addHook('onResponse', async (request) => {
        if (request.proxy!.attempts > 1) repeated++
      })
    }
  })
  const count = isFull ? 10_000 : 500
  const agent = new Agent({ keepAlive: true })
  const gets: Answer[] = []
  const posts = new Map<string, Answer>()
  const client = async (): Promise<void> => {
    while (gets.length < count) {
      gets.push(await ask(`${proxy.url}/get`, agent))
      await pause(Math.random() * 12)
      const path = `/${posts.size}`
      // Its place is taken before the answer is there.
      posts.set(path, { startedAt: 0, took: 0, status: 0, from: '' })
      posts.set(path, await ask(proxy.url + path, agent, 'POST', 'once'))
      await pause(Math.random() * 12)
    }
  }
  await Promise.all(Array.from({ length: 8 }, client))
  agent.destroy()

  const seen = JSON.parse((await ask(`${member.url}/counts`)).from) as { closed: number, posts: Record<string, number> }
  const twice = Object.entries(seen.posts).filter(([, times]) => times > 1)
  t.diagnostic(`${gets.length} GETs: ${JSON.stringify(failures(gets))} failed, ${repeated} were sent again; ` +
    `${posts.size} POSTs: ${JSON.stringify(failures([...posts.values()]))} failed, ${twice.length} came twice; ${seen.closed} connections closed`)
  assert.ok(seen.closed > 0)
  assert.deepEqual(failures(gets), {})
  assert.deepEqual(twice, [])
  for (const [path, { status }] of posts) {
    if (status === 200) assert.equal(seen.posts[path], 1, path)
  }
}))
