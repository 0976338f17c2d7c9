import type { Endpoint } from '../../types/model.ts'
import type { ProxyExchange } from '../model/exchange.ts'

/** What `reply.proxy` says of the headers, over what the client said and under what the behaviour says. */
export function applyOverride (exchange: ProxyExchange, headers: Record<string, string | string[]>): void {
  if (exchange.outgoing!.body === null) delete headers['content-type']
  if (exchange.isJson && !String(headers['content-type'] ?? '').includes('json')) headers['content-type'] = 'application/json'
  const own = exchange.override!.headers
  for (const name in own) headers[name.toLowerCase()] = own[name]!
}

/** What of the head depends on where it goes, and when. */
export function aim (exchange: ProxyExchange, endpoint: Endpoint, now: number): void {
  const outgoing = exchange.outgoing!
  // undici takes no `*`; see CountingClient.askForAll.
  if (exchange.upstreamPath === '*') outgoing.path = '/*'
  else if (endpoint.basePath !== '') outgoing.path = endpoint.basePath + exchange.upstreamPath
  else outgoing.path = exchange.upstreamPath
  outgoing.servername = endpoint.servername
  if (exchange.hostFollowsEndpoint) {
    if (endpoint.hostField !== null) outgoing.headers['host'] = endpoint.hostField
    // Of another endpoint, for an earlier attempt.
    else if (outgoing.headers['host'] !== undefined) delete outgoing.headers['host']
  }
  const { deadlineHeader } = exchange.route
  if (deadlineHeader !== null) tellDeadline(exchange, outgoing.headers, deadlineHeader, now)
}

/** Whoever works on for longer works for nobody. */
function tellDeadline ({ attemptDue, totalDue }: ProxyExchange, headers: Record<string, string | string[]>, name: string, now: number): void {
  const due = Math.min(attemptDue, totalDue)
  // Also what the client says about it: it is not the client's to say how long the upstream has with us.
  if (due === Infinity) delete headers[name]
  else headers[name] = String(Math.max(1, Math.round(due - now)))
}
