import { channel, type Channel } from 'node:diagnostics_channel'
import type { Endpoint, Upstream } from '../../types/model.ts'
import type { UpstreamEvent, UpstreamEventName } from '../../types/policy.ts'

const names: readonly UpstreamEventName[] = ['ejected', 'returned', 'unhealthy', 'healthy', 'opened', 'half-open', 'closed', 'overflowed', 'exhausted']

/** Made once: a channel that nobody holds on to is collected, and its subscribers with it (Node 20). */
const channels = Object.fromEntries(names.map((name) => [name, channel(`sluice:${name}`)])) as Record<UpstreamEventName, Channel>

/**
 * Tells of a change of state: every observer of the upstream, and the diagnostics channel `sluice:<name>`. Costs one short walk where nobody
 * listens, so that an overload, which announces itself with every refusal, is not made worse.
 */
export function announce (upstream: Upstream, name: UpstreamEventName, endpoint: Endpoint | null, reason: string): void {
  let event: UpstreamEvent | null = null
  const { observers } = upstream.state
  for (let index = 0; index < observers.length; index++) {
    const observer = observers[index]!
    if (observer.onEvent !== undefined) observer.onEvent(event ??= { name, upstream, endpoint, reason })
  }
  // Node reports what a subscriber throws by itself, as an uncaught exception of the subscriber's.
  if (channels[name].hasSubscribers) channels[name].publish(event ?? { name, upstream, endpoint, reason })
}
