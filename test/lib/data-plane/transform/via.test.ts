import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Via } from '../../../../lib/data-plane/transform/via.ts'
import { ProxyError } from '../../../../lib/errors.ts'
import { exchangeWith } from '../../samples.ts'

function viaAfter (received: string | undefined, { httpVersion = '1.1', pseudonym = 'sluice' } = {}): unknown {
  const head = { method: 'GET', path: '/', headers: {} as Record<string, string | string[]> }
  new Via(pseudonym, 'abc123').apply(head, exchangeWith({ httpVersion, headers: received === undefined ? {} : { via: received } }))
  return head.headers['via']
}

function isLoop (error: unknown): boolean {
  return error instanceof ProxyError && error.error === 'proxy_loop_detected' && error.statusCode === 502
}

for (const httpVersion of ['1.1', '1.0', '2.0']) {
  test(`begins Via for a request in HTTP/${httpVersion}`, () => {
    assert.equal(viaAfter(undefined, { httpVersion }), `${httpVersion} sluice (abc123)`)
  })
}

const chains = ['1.0 fred', '1.1 a, 1.1 b (comment)', '1.1 sluice (other)', '1.1 sluice', '1.1 sluice (abc12), 1.1 sluice (xabc123)']

for (const chain of chains) {
  test(`adds itself to '${chain}', which is no loop`, () => {
    assert.equal(viaAfter(chain), `${chain}, 1.1 sluice (abc123)`)
  })
}

for (const chain of ['1.1 sluice (abc123)', '1.1 a, 1.1 sluice (abc123), 1.0 b', '1.1 a,1.0 sluice (abc123)']) {
  test(`refuses what has been here: '${chain}'`, () => assert.throws(() => viaAfter(chain), isLoop))
}

test('finds a loop whose way drops comments by the sixteenth time under our name', () => {
  const times = (count: number): string => Array.from({ length: count }, () => '1.1 sluice').join(', ')
  assert.equal(viaAfter(times(15)), `${times(15)}, 1.1 sluice (abc123)`)
  assert.throws(() => viaAfter(times(16)), isLoop)
  assert.equal(typeof viaAfter(times(40).replaceAll('sluice', 'other')), 'string')
})

test('goes by the name that it is given', () => {
  assert.equal(viaAfter('1.1 sluice (abc123)', { pseudonym: 'edge' }), '1.1 sluice (abc123), 1.1 edge (abc123)')
  assert.throws(() => viaAfter('1.1 edge (abc123)', { pseudonym: 'edge' }), isLoop)
})
