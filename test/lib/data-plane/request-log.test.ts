import assert from 'node:assert/strict'
import { test } from 'node:test'
import Fastify, { type FastifyBaseLogger } from 'fastify'
import { isSilent } from '../../../lib/data-plane/request-log.ts'

function loggerOf (write: () => void): FastifyBaseLogger {
  const levels = Object.fromEntries(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'].map((level) => [level, write]))
  const log: object = { level: 'info', ...levels, child: () => log }
  return log as FastifyBaseLogger
}

test('an app without a logger is silent', () => {
  assert.equal(isSilent(Fastify().log), true)
  assert.equal(isSilent(Fastify({ logger: false }).log), true)
})

test('every other logger is not, whatever its children and its level', () => {
  let lines = 0
  const write = (): void => { lines++ }
  const prototype = Object.fromEntries(['fatal', 'error', 'warn', 'info', 'debug', 'trace'].map((level) => [level, write]))
  const inherited = Object.assign(Object.create(prototype) as object, { child: () => inherited }) as unknown as FastifyBaseLogger
  const loggers = [
    Fastify({ logger: true }).log, Fastify({ logger: { level: 'silent' } }).log,
    Fastify({ loggerInstance: Fastify({ logger: { level: 'silent' } }).log }).log, loggerOf(write), inherited,
    // Empty now: whoever gave it may watch it later.
    loggerOf(function noop () {})
  ]
  for (const log of loggers) assert.equal(isSilent(log), false)
  assert.equal(lines, 0)
})
