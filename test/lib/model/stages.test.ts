import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Attempt } from '../../../types/model.ts'
import type { Stages } from '../../../types/slowest.ts'
import { proxyError } from '../../../lib/errors.ts'
import type { ProxyExchange } from '../../../lib/model/exchange.ts'
import { stageNames, stagesOf } from '../../../lib/model/stages.ts'
import { attemptOf, exchangeWith } from '../samples.ts'

const none: Stages = { select: 0, queue: 0, retry: 0, connect: 0, request: 0, firstByte: 0, body: 0, write: 0 }

/** An exchange from 1000 on. */
function stages (exchange: Partial<ProxyExchange>, last: Partial<Attempt> | null = null): Stages {
  const made = Object.assign(exchangeWith({ startedAt: 1000 }), exchange)
  if (last !== null) made.last = attemptOf(made, last)
  return stagesOf(made)
}

const table: readonly (readonly [what: string, exchange: Partial<ProxyExchange>, last: Partial<Attempt> | null, expected: Partial<Stages>])[] = [
  ['is just begun', {}, null, {}],
  ['was refused by a hook', { endedAt: 1030 }, null, { select: 30 }],
  ['left the queue for nothing', { endedAt: 1030, queueTime: 25 }, null, { select: 5, queue: 25 }],
  ['made a connection', { attempts: 1, attemptedAt: 1002, endedAt: 1100 },
    { startedAt: 1002, sentAt: 1012, connectTime: 9, headAt: 1062, endedAt: 1090 },
    { select: 2, queue: 1, connect: 9, firstByte: 50, body: 28, write: 10 }],
  ['waited for a connection', { attempts: 1, attemptedAt: 1002, endedAt: 1100 },
    { startedAt: 1002, sentAt: 1042, reused: true, headAt: 1062, endedAt: 1100 },
    { select: 2, queue: 40, firstByte: 20, body: 38 }],
  ['waited in both queues', { attempts: 1, attemptedAt: 1022, queueTime: 20, endedAt: 1100 },
    { startedAt: 1022, sentAt: 1042, reused: true, headAt: 1100, endedAt: 1100 },
    { select: 2, queue: 40, firstByte: 58 }],
  ['was tried again', { attempts: 2, attemptedAt: 1002, endedAt: 1100 },
    { number: 2, startedAt: 1050, sentAt: 1050, headAt: 1100, endedAt: 1100 },
    { select: 2, retry: 48, firstByte: 50 }],
  ['was tried again, and waited for that', { attempts: 2, attemptedAt: 1002, queueTime: 40, endedAt: 1100 },
    { number: 2, startedAt: 1050, sentAt: 1050, headAt: 1100, endedAt: 1100 },
    { queue: 40, retry: 10, firstByte: 50 }],
  ['uploaded', { attempts: 1, attemptedAt: 1000, endedAt: 1100 },
    { startedAt: 1000, sentAt: 1000, writtenAt: 1070, headAt: 1100, endedAt: 1100 },
    { request: 70, firstByte: 30 }],
  ['was answered before it was written', { attempts: 1, attemptedAt: 1000, endedAt: 1100 },
    { startedAt: 1000, sentAt: 1000, writtenAt: 0, headAt: 1040, endedAt: 1100 },
    { request: 40, body: 60 }],
  ['was answered while it was written', { attempts: 1, attemptedAt: 1000, endedAt: 1100 },
    { startedAt: 1000, sentAt: 1000, writtenAt: 1060, headAt: 1040, endedAt: 1100 },
    { request: 40, body: 60 }],
  ['stalled in its upload', { attempts: 1, attemptedAt: 1000, endedAt: 1100 },
    { startedAt: 1000, sentAt: 1000, writtenAt: 0, endedAt: 1100 },
    { request: 100 }],
  ['is uploading', { attempts: 1, attemptedAt: 1000 }, { startedAt: 1000, sentAt: 1000, writtenAt: 0 }, {}],
  ['was never answered', { attempts: 1, attemptedAt: 1000, endedAt: 1100 },
    { startedAt: 1000, sentAt: 1010, reused: true, endedAt: 1100 },
    { queue: 10, firstByte: 90 }],
  ['never connected', { attempts: 1, attemptedAt: 1000, endedAt: 1100 },
    { startedAt: 1000, endedAt: 1100, error: proxyError('connection_timeout', 'connect') },
    { connect: 100 }],
  ['never found a connection', { attempts: 1, attemptedAt: 1000, endedAt: 1100 },
    { startedAt: 1000, endedAt: 1100, error: proxyError('queue_timeout', 'connect') },
    { queue: 100 }],
  ['is connecting', { attempts: 1, attemptedAt: 1000 }, { startedAt: 1000 }, {}],
  ['has its head', { attempts: 1, attemptedAt: 1000 }, { startedAt: 1000, sentAt: 1001, reused: true, headAt: 1003 }, { queue: 1, firstByte: 2 }]
]

for (const [what, exchange, last, expected] of table) {
  test(`tells where the time went of an exchange that ${what}`, () => {
    const found = stages(exchange, last)
    assert.deepEqual(found, { ...none, ...expected })
    const { endedAt = 0 } = exchange
    if (endedAt !== 0) assert.equal(Object.values(found).reduce((sum, part) => sum + part), endedAt - 1000, 'all of it')
  })
}

test('the names are those of the stages, in order', () => {
  assert.deepEqual([...stageNames], Object.keys(stages({})))
})
