import assert from 'node:assert/strict'
import test from 'node:test'
import type { FastifyBaseLogger } from 'fastify'
import type { Endpoint, Upstream } from '../../../types/model.ts'
import type { UpstreamEventName } from '../../../types/policy.ts'
import { EventLog } from '../../../lib/observe/event-log.ts'
import { endpointAt, upstreamOf } from '../samples.ts'

interface Line { level: string, message: string, [field: string]: unknown }

function logOf (): { lines: Line[], log: FastifyBaseLogger } {
  const lines: Line[] = []
  const write = (level: string) => (fields: object, message: string) => { lines.push({ level, message, ...fields }) }
  return { lines, log: { info: write('info'), warn: write('warn') } as unknown as FastifyBaseLogger }
}

function orders (): { upstream: Upstream, endpoint: Endpoint } {
  const endpoint = endpointAt('http://10.0.0.1:3000/v2')
  const upstream = upstreamOf('orders', [endpoint, endpointAt('http://10.0.0.2:3000')])
  upstream.state = { ...upstream.state, available: upstream.state.endpoints.slice(1) }
  return { upstream, endpoint }
}

const levels: readonly (readonly [UpstreamEventName, string, string])[] = [
  ['ejected', 'warn', 'endpoint ejected'],
  ['returned', 'info', 'endpoint returned'],
  ['unhealthy', 'warn', 'endpoint unhealthy'],
  ['healthy', 'info', 'endpoint healthy'],
  ['opened', 'warn', 'breaker opened'],
  ['half-open', 'info', 'breaker half-open'],
  ['closed', 'info', 'breaker closed']
]

for (const [name, level, message] of levels) {
  test(`'${message}' is one line at ${level} each time, with whose it is and how many are left`, () => {
    const { lines, log } = logOf()
    const eventLog = new EventLog(log, () => 0)
    const { upstream, endpoint } = orders()

    eventLog.onEvent({ name, upstream, endpoint, reason: 'why' })
    eventLog.onEvent({ name, upstream, endpoint, reason: 'why' })

    const line = { level, message, upstream: 'orders', event: name, endpoint: 'http://10.0.0.1:3000/v2', reason: 'why', available: 1, endpoints: 2 }
    assert.deepEqual(lines, [line, line])
  })
}

for (const [name, message] of [['overflowed', 'upstream overflowed'], ['exhausted', 'retry budget exhausted']] as const) {
  test(`'${message}' is told at once, and then every ten seconds at most, with how often it came`, () => {
    const { lines, log } = logOf()
    let now = 5
    const eventLog = new EventLog(log, () => now)
    const { upstream } = orders()
    const another = orders().upstream
    const refuse = (whose: Upstream): void => { eventLog.onEvent({ name, upstream: whose, endpoint: null, reason: 'active' }) }

    refuse(upstream)
    for (let count = 0; count < 1000; count++) refuse(upstream)
    refuse(another)
    now += 9_999
    refuse(upstream)
    assert.deepEqual(lines.map(({ times }) => times), [1, 1])
    now += 1
    refuse(upstream)
    refuse(upstream)

    assert.deepEqual(lines.map(({ times }) => times), [1, 1, 1002])
    assert.deepEqual(lines[2], { level: 'warn', message, upstream: 'orders', event: name, reason: 'active', available: 1, endpoints: 2, times: 1002 })
  })
}

test('both refusals of an upstream are told, each by itself', () => {
  const { lines, log } = logOf()
  const eventLog = new EventLog(log, () => 0)
  const { upstream } = orders()

  eventLog.onEvent({ name: 'overflowed', upstream, endpoint: null, reason: 'active' })
  eventLog.onEvent({ name: 'exhausted', upstream, endpoint: null, reason: 'status' })

  assert.deepEqual(lines.map(({ message }) => message), ['upstream overflowed', 'retry budget exhausted'])
})

test('a log that throws changes nothing for whoever announces', () => {
  const fail = (): never => { throw new Error('stream gone') }
  const eventLog = new EventLog({ info: fail, warn: fail } as unknown as FastifyBaseLogger, () => 0)
  const { upstream, endpoint } = orders()

  eventLog.onEvent({ name: 'ejected', upstream, endpoint, reason: 'why' })
})
