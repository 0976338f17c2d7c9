import assert from 'node:assert/strict'
import { test } from 'node:test'
import { normalizeUpstream } from '../../../lib/config/normalize.ts'
import { checkUpstream } from '../../../lib/config/upstream-policies.ts'
import type { Problem } from '../../../types/control.ts'
import type { Balancer } from '../../../types/policy.ts'

class Mine implements Balancer {
  count = 0
  pick: Balancer['pick'] = (available) => available[this.count++ % available.length]!
}

for (const balancer of [new Mine(), { pick: new Mine().pick, turns: 0 }]) {
  test(`a balancer of the user's own is taken as it is (${balancer.constructor.name})`, () => {
    const problems: Problem[] = []
    const config = normalizeUpstream('a', { endpoints: ['http://a'], balancer }, 'upstreams.a', problems)!
    assert.deepEqual(problems, [])
    assert.equal(config.balancer, balancer)
    assert.equal(Object.isFrozen(balancer), false, 'it may keep count')
  })
}

test('a balancer that nobody knows is reported, and the rest is not built on it', () => {
  const problems: Problem[] = []
  const config = { name: 'a', endpoints: [], balancer: { name: 'fair' }, pool: {} as never, health: false, outlier: false, where: 'a' } as unknown as Parameters<typeof checkUpstream>[0]
  assert.equal(checkUpstream(config, 'a', problems), false)
  assert.deepEqual(problems.map(({ path }) => path), ['a.balancer'])
})
