import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkCookies, checkRewrite, settleWebSocket } from '../../../lib/config/route-policies.ts'
import type { Problem } from '../../../types/control.ts'
import type { BodyOptions } from '../../../types/options.ts'

function messages (check: (problems: Problem[]) => void): string[] {
  const problems: Problem[] = []
  check(problems)
  return problems.map(({ path, message }) => `${path}: ${message}`)
}

test('a WebSocket needs GET; what defaults say of it is for the routes that can', () => {
  const settled = (own: Record<string, unknown>, defaults: object = {}): [unknown, number] => {
    const merged: Record<string, unknown> = { ...defaults, ...own }
    return [merged, messages((problems) => { settleWebSocket(own, merged, 'r', problems) }).length].map((value, index) => index === 0 ? merged['websocket'] : value) as [unknown, number]
  }
  assert.deepEqual(settled({ websocket: true }), [{}, 0])
  assert.deepEqual(settled({ websocket: true, method: 'get' }), [{}, 0])
  assert.deepEqual(settled({ websocket: true, method: ['POST'] }), [false, 1])
  assert.deepEqual(settled({ method: 'POST' }, { websocket: true }), [false, 0])
  // For the schema to tell of.
  assert.deepEqual(settled({ websocket: null, method: 'POST' }), [null, 0])
})

test('bodies are rewritten in one way', () => {
  const faults = (body: BodyOptions): number => messages((problems) => { checkRewrite(body, 'body', problems) }).length
  assert.deepEqual([{}, { rewrite: false }, { rewrite: { whole: () => '' } }, { rewrite: {} }, { rewrite: { replace: [['a', 'b']], whole: () => '' } }, { rewrite: { whole: () => '' }, rewriteJson: () => '' }].map((body) => faults(body as BodyOptions)), [0, 0, 0, 1, 1, 1])
})

test('SameSite=None goes with Secure', () => {
  const faults = (cookies: Parameters<typeof checkCookies>[0]): string[] => messages((problems) => { checkCookies(cookies, 'cookies', problems) })
  assert.equal(faults({ sameSite: 'none' }).length, 1)
  assert.deepEqual(faults({ sameSite: 'none', secure: true }), [])
  assert.deepEqual(faults({ sameSite: 'lax' }), [])
})
