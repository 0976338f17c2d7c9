import assert from 'node:assert/strict'
import { test } from 'node:test'
import Fastify, { type FastifyBaseLogger } from 'fastify'
import { isSilent } from '../../../lib/data-plane/request-log.ts'

function loggerOf (write: () => void): FastifyBaseLogger {
  const log: object = { level: 'info', fatal: write, error: write, warn: write, info: write, debug: write, trace: write, silent: write, child: () => log }
  return log as FastifyBaseLogger
}

test('an app without a logger is silent', () => {
  assert.equal(isSilent(Fastify().log), true)
  assert.equal(isSilent(Fastify({ logger: false }).log), true)
})

test('every other logger is not, whatever its children and its level', () => {
  let lines = 0
  class Inherited { info (): void { lines++ } }
  const inherited = Object.assign(new Inherited(), { child: () => inherited }) as unknown as FastifyBaseLogger
  for (const name of ['fatal', 'error', 'warn', 'debug', 'trace']) (Inherited.prototype as unknown as Record<string, unknown>)[name] = Inherited.prototype.info
  const loggers = [
    Fastify({ logger: true }).log, Fastify({ logger: { level: 'silent' } }).log, Fastify({ loggerInstance: Fastify({ logger: { level: 'silent' } }).log }).log, loggerOf(() => { lines++ }), inherited,
    // Empty now: whoever gave it may watch it later.
    loggerOf(function noop () {})
  ]
  for (const log of loggers) assert.equal(isSilent(log), false)
  assert.equal(lines, 0)
})
