import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { ProxyAttempt } from '../attempt.ts'
import { copyResponseHeaders, upgradeOf } from '../transform/hop-by-hop.ts'
import { findUpstreamFault } from './handshake.ts'
import { Tunnel, type TunnelOwner } from './tunnel.ts'

/**
 * The upstream has switched protocols: if it did as it was asked, its connection is kept for a tunnel.
 * @returns the head of our own 101
 * @throws ProxyError `http_upgrade_failed`; undici destroys the connection then
 */
export function switchProtocols (attempt: ProxyAttempt, raw: readonly Buffer[], stream: Duplex, owner: TunnelOwner): Record<string, string | string[]> {
  const { exchange } = attempt
  // First: what is thrown here must not cut a connection of somebody else's.
  attempt.client!.release!()
  const headers = copyResponseHeaders(raw)
  const fault = findUpstreamFault(exchange.outgoing!.headers, upgradeOf(raw), headers)
  if (fault !== null) throw fault
  const { idleTimeout } = exchange.route.websocket!
  attempt.tunnel = exchange.tunnel = new Tunnel(attempt, stream as Socket, idleTimeout, owner)
  exchange.phase = 'upgrade'
  // Only silence ends a tunnel.
  exchange.attemptDue = exchange.totalDue = Infinity
  exchange.phaseDue = attempt.headAt + idleTimeout
  owner.deadlines.arm(exchange)
  // RFC 9110 7.8: whoever expects a 100 gets it first.
  if (exchange.request.raw.headers.expect !== undefined) exchange.reply.raw.writeContinue()
  // Framing of what has no body (RFC 9110 8.6).
  delete headers['content-length']
  headers['connection'] = 'upgrade'
  headers['upgrade'] = 'websocket'
  return headers
}
