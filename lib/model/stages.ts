import type { Attempt, Exchange } from '../../types/model.ts'
import type { StageName, Stages } from '../../types/slowest.ts'

/*
 * Where the time of an exchange went, out of the moments that it and its attempts keep anyway. Of several attempts, the times of the
 * last one count; those before it are `retry`.
 */

/** In the order in which an exchange passes them. */
export const stageNames: readonly StageName[] = ['select', 'queue', 'retry', 'connect', 'request', 'firstByte', 'body', 'write']

/** What has passed so far of an exchange that is under way, all of one that is over. */
export function stagesOf (exchange: Exchange): Stages {
  const { last } = exchange
  const select = selectOf(exchange)
  const queue = queueOf(exchange)
  if (last === null) return { select, queue, retry: 0, connect: 0, request: 0, firstByte: 0, body: 0, write: 0 }
  return {
    select,
    queue,
    retry: Math.max(0, last.startedAt - exchange.attemptedAt - lateQueueOf(exchange)),
    connect: connectOf(last),
    request: requestOf(last),
    firstByte: firstByteOf(last),
    body: bodyOf(last),
    write: exchange.endedAt > last.endedAt && last.endedAt !== 0 ? exchange.endedAt - last.endedAt : 0
  }
}

export function selectOf (exchange: Exchange): number {
  const until = exchange.attempts === 0 ? exchange.endedAt : exchange.attemptedAt
  return until === 0 ? 0 : Math.max(0, until - exchange.startedAt - exchange.queueTime)
}

/** Waited for after the first attempt, as far as it cannot have been before: all together are no more than the whole. */
function lateQueueOf ({ startedAt, queueTime, attemptedAt }: Exchange): number {
  return Math.max(0, startedAt + queueTime - attemptedAt)
}

/** In our own queue, and in that of the pool when all its connections are busy. */
export function queueOf ({ queueTime, last }: Exchange): number {
  return last === null ? queueTime : queueTime + poolWaitOf(last)
}

/** The wait for a connection of the pool that was another exchange's. */
function poolWaitOf (attempt: Attempt): number {
  if (attempt.sentAt !== 0) return Math.max(0, attempt.sentAt - attempt.startedAt - attempt.connectTime)
  return isQueuing(attempt) ? attempt.endedAt - attempt.startedAt : 0
}

export function connectOf (attempt: Attempt): number {
  if (attempt.sentAt !== 0) return attempt.connectTime
  return attempt.endedAt === 0 || isQueuing(attempt) ? 0 : attempt.endedAt - attempt.startedAt
}

/** Given up while it waited, rather than while its connection was made. */
function isQueuing ({ error }: Attempt): boolean {
  return error !== null && error.error === 'queue_timeout'
}

export function requestOf (attempt: Attempt): number {
  const { sentAt, writtenAt, headAt, endedAt } = attempt
  if (sentAt === 0) return 0
  // An answer may come before the request is all out; the rest of it then is nobody's wait.
  const until = writtenAt !== 0 && (headAt === 0 || writtenAt < headAt) ? writtenAt : headAt !== 0 ? headAt : endedAt
  return until === 0 ? 0 : until - sentAt
}

export function firstByteOf (attempt: Attempt): number {
  const { writtenAt, headAt, endedAt } = attempt
  if (writtenAt === 0) return 0
  const until = headAt === 0 ? endedAt : headAt
  return until > writtenAt ? until - writtenAt : 0
}

export function bodyOf ({ headAt, endedAt }: Attempt): number {
  return headAt === 0 || endedAt === 0 ? 0 : endedAt - headAt
}
