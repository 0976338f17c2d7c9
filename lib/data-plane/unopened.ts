import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Route } from '../../types/model.ts'
import { ProxyExchange } from '../model/exchange.ts'
import type { Gate } from './entry.ts'
import { lingering } from './lingering.ts'
import { takeTrace } from './request-log.ts'

/**
 * Tells observers of an exchange that never was: a hook of the app's, ahead of ours, has answered. Of a client that leaves while such a hook
 * is thinking nobody tells: Fastify's onResponse comes with an answer only.
 */
export function reportUnopened (gate: Gate, route: Route, request: FastifyRequest, reply: FastifyReply): void {
  const now = gate.tools.now()
  const exchange = new ProxyExchange(request, reply, route, now - reply.elapsedTime)
  exchange.trace = takeTrace(request.raw)
  exchange.endedAt = now
  lingering.bound(request.raw)
  const { observers } = exchange.upstream.state
  for (let index = 0; index < observers.length; index++) observers[index]!.onExchange?.(exchange)
}
