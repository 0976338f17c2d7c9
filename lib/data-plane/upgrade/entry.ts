import type { FastifyReply, FastifyRequest, preHandlerHookHandler } from 'fastify'
import type { ProxyExchange } from '../../model/exchange.ts'
import { checkBoolean } from '../../model/option-result.ts'
import { forwardExchange, type Gate } from '../entry.ts'
import { findClientFault } from './handshake.ts'
import { cutAtEnd } from './sockets.ts'
import type { Upgrade, Upgrades } from './upgrades.ts'
import { type ProxyError, proxyError, toProxyError } from '../../errors.ts'

/** What upgrades need of the gateway. */
export interface UpgradeGate extends Gate {
  readonly upgrades: Upgrades
}

/**
 * The last hook before the handler, on routes that take WebSocket connections. A hook, because @fastify/websocket puts a handler of its
 * own around each that it finds, and completes the handshake there.
 */
export function upgradeHook (gate: UpgradeGate): preHandlerHookHandler {
  return function forwardUpgrade (request: FastifyRequest, _reply: FastifyReply, done: () => void): void {
    const upgrade = request.raw.headers.upgrade === undefined ? undefined : gate.upgrades.of(request.raw)
    const exchange = request.proxy as ProxyExchange | null
    if (upgrade === undefined || exchange === null || exchange.route.websocket === null) done()
    else start(gate, exchange, upgrade)
  }
}

function start (gate: UpgradeGate, exchange: ProxyExchange, upgrade: Upgrade): void {
  const { request, reply } = exchange
  upgrade.exchange = exchange
  gate.upgrades.follow(request.raw, reply.raw)
  // @fastify/websocket closes every connection that it has seen once there is a response, unless this says that it is not its own.
  if ('ws' in request) (request as { ws: boolean }).ws = false
  const fault = findFault(exchange)
  if (fault === null) {
    cutAtEnd(upgrade.socket, reply.raw)
    forwardExchange(gate, exchange, 'websocket')
    return
  }
  // RFC 6455 4.2.2, RFC 9110 15.5.22
  if (fault.statusCode === 426) {
    reply.header('sec-websocket-version', '13').header('upgrade', 'websocket').header('connection', 'upgrade, close')
  }
  gate.forwarder.fail(exchange, fault)
}

function findFault ({ request, route }: ProxyExchange): ProxyError | null {
  const { isAllowed } = route.websocket!
  const { headers } = request.raw
  try {
    // A browser lets every page connect to every host, cookies and all; Origin is all that tells them apart (CVE-2026-133111).
    if (isAllowed !== null && !checkBoolean('websocket.allowedOrigins', isAllowed(headers.origin))) {
      return proxyError('http_request_denied', 'upgrade', new Error('the origin is not one that is allowed'))
    }
    return findClientFault(headers)
  } catch (error) {
    return toProxyError(error, 'upgrade')
  }
}
