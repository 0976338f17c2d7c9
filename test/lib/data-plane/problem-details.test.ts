import assert from 'node:assert/strict'
import type { FastifyReply } from 'fastify'
import { test } from 'node:test'
import { problemDetails } from '../../../lib/data-plane/problem-details.ts'
import { proxyError, type ErrorName } from '../../../lib/errors.ts'
import { requestWith } from '../samples.ts'

interface Sent { statusCode: number, type: string, body: unknown }

function answerTo (error: Error): Sent {
  const sent: Sent = { statusCode: 0, type: '', body: null }
  const reply = {
    code (statusCode: number) { sent.statusCode = statusCode; return reply },
    type (type: string) { sent.type = type; return reply },
    send (text: string) { sent.body = JSON.parse(text) }
  }
  problemDetails(error, requestWith({ id: 'req-7' }), reply as unknown as FastifyReply)
  return sent
}

const cases: readonly (readonly [name: ErrorName, statusCode: number, title: string, detail: string])[] = [
  ['connection_refused', 502, 'Bad Gateway', 'the upstream refused the connection'],
  ['http_response_timeout', 504, 'Gateway Timeout', 'the upstream did not answer in time'],
  ['http_request_error', 400, 'Bad Request', 'the request is not valid'],
  ['client_closed_request', 499, 'Error', 'the client closed the connection'] // no status of IANA's
]

for (const [name, statusCode, title, detail] of cases) {
  test(`answers ${name} with its status, its code and the id under which the log has the rest`, () => {
    const cause = new Error('connect ECONNREFUSED 10.0.0.1:3000')
    assert.deepEqual(answerTo(proxyError(name, 'connect', cause)), {
      statusCode,
      type: 'application/problem+json',
      body: { type: 'about:blank', title, status: statusCode, detail, code: `FST_SLUICE_${name.toUpperCase()}`, requestId: 'req-7' }
    })
  })
}

test('leaves the errors of others to Fastify', () => {
  const error = Object.assign(new Error('no token'), { statusCode: 401 })
  assert.throws(() => answerTo(error), (thrown) => thrown === error)
})
