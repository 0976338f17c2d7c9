import assert from 'node:assert/strict'
import test from 'node:test'
import { launch } from '../helpers/program.ts'

const waits: readonly (readonly [what: string, args: readonly string[], status: string])[] = [
  ['the backoff behind a refused connection', ['0', ''], '502'],
  ['a long backoff', ['503', '', JSON.stringify({ retry: { on: [503], backoff: { base: 600, max: 600 } } })], '503'],
  ['a Retry-After', ['503', '1', JSON.stringify({ retry: { on: [503] } })], '503'],
  ['the wait for a health check that fails', ['0', '', '{}', 'awaited'], '502'],
  ['no wait at all', ['503', ''], '503']
]

for (const [what, args, status] of waits) {
  test(`${what} keeps a process that has nothing else to do, until the answer is there`, async (t) => {
    const program = launch(t, 'test/behaviour/inject-waits-program.js', args)
    assert.deepEqual([await program.exited, program.stdout], [0, `answered ${status}\n`], program.stderr)
  })
}
