/** One metric: what it is called, what it means, by what it is told apart. */
export interface Definition {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly labels: readonly string[]
  /** Upper bounds in seconds; empty unless it is a histogram. */
  readonly buckets: readonly number[]
  /** What several processes make of it together. */
  readonly merge: 'sum' | 'max' | 'min'
}

function counter (name: string, labels: readonly string[], help: string): Definition {
  return { name: `sluice_${name}`, help, type: 'counter', labels, buckets: [], merge: 'sum' }
}

function gauge (name: string, labels: readonly string[], help: string, merge: Definition['merge'] = 'sum'): Definition {
  return { name: `sluice_${name}`, help, type: 'gauge', labels, buckets: [], merge }
}

function histogram (name: string, labels: readonly string[], buckets: readonly number[], help: string): Definition {
  return { name: `sluice_${name}`, help, type: 'histogram', labels, buckets, merge: 'sum' }
}

/** Of OpenTelemetry's http.server.request.duration, so that both are read alike. */
export const coarse: readonly number[] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]
/** An upstream that answers in a millisecond and pauses for twenty is to be told from one that always takes five. */
export const fine: readonly number[] = [0.0005, 0.001, 0.0025, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
/** From a tenth of a millisecond: what a proxy adds should be no more. */
export const finest: readonly number[] = [0.0001, 0.00025, 0.0005, 0.00075, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1]

export const requests: Definition = counter('requests_total', ['route', 'upstream', 'variant', 'method', 'code', 'error'], 'Exchanges that ended, by what the client got (499: it left) and the word of the error table.')
export const requestDuration: Definition = histogram('request_duration_seconds', ['route', 'upstream', 'variant', 'code_class'], coarse, 'From the match of the route to the last byte to the client.')
export const overhead: Definition = histogram('overhead_duration_seconds', ['route'], finest, 'Time of an exchange that was spent neither in an attempt nor in the queue: the proxy, its hooks, and the last bytes to the client.')
export const slowRequests: Definition = counter('slow_requests_total', ['route', 'upstream', 'variant'], 'Exchanges that took longer than the route\'s option `slow`; event streams and tunnels are not asked.')
export const requestBytes: Definition = counter('request_bytes_total', ['route', 'upstream'], 'Body bytes from clients, as they pass: those of streams and tunnels too.')
export const responseBytes: Definition = counter('response_bytes_total', ['route', 'upstream'], 'Body bytes from upstreams, as they pass: those of streams and tunnels too.')
export const canaryRequests: Definition = counter('canary_requests_total', ['route', 'variant', 'reason'], 'Exchanges on a canary, by what chose it.')
export const canaryFallbacks: Definition = counter('canary_fallbacks_total', ['route', 'variant'], 'Exchanges that the stable side served because the canary had no available endpoint.')
export const rateLimited: Definition = counter('rate_limited_total', ['route', 'limiter'], 'Exchanges that a limit of the proxy answered with 429.')

export const attempts: Definition = counter('upstream_attempts_total', ['upstream', 'endpoint', 'code_class', 'error'], 'Attempts that ended, retries included; code_class is empty where no answer came.')
export const attemptDuration: Definition = histogram('upstream_request_duration_seconds', ['upstream', 'code_class'], coarse, 'One attempt, from the choice of its endpoint to the last byte of the body.')
export const headerDuration: Definition = histogram('upstream_header_duration_seconds', ['upstream'], fine, 'Time to first byte: from a request being written to the head of its answer.')
export const connectDuration: Definition = histogram('upstream_connect_duration_seconds', ['upstream'], fine, 'Making a connection: name, TCP and TLS.')
export const queueDuration: Definition = histogram('upstream_queue_duration_seconds', ['upstream'], fine, 'Wait of an exchange for its turn: in the queue, and for one of the connections to become free.')
export const retries: Definition = counter('upstream_retries_total', ['upstream', 'reason', 'result'], 'Further attempts, by what the one before failed with and how they ended; and those that the budget refused.')
export const activeRequests: Definition = gauge('upstream_active_requests', ['upstream', 'endpoint'], 'Exchanges under way.')
export const pendingRequests: Definition = gauge('upstream_pending_requests', ['upstream'], 'Exchanges that wait for their turn or for a connection.')
export const connections: Definition = gauge('upstream_connections', ['upstream', 'endpoint', 'state'], 'Open connections.')
export const connectionsOpened: Definition = counter('upstream_connections_opened_total', ['upstream'], 'Connections made.')
export const connectionsClosed: Definition = counter('upstream_connections_closed_total', ['upstream', 'reason'], 'Connections closed: by the upstream, for being idle, by the proxy, or by an error.')
export const connectFailures: Definition = counter('upstream_connect_failures_total', ['upstream', 'error'], 'Connections that could not be made.')
export const tlsReused: Definition = counter('upstream_tls_sessions_reused_total', ['upstream'], 'TLS connections that resumed a session.')
export const tlsFailures: Definition = counter('upstream_tls_handshake_failures_total', ['upstream', 'reason'], 'TLS handshakes that failed.')
export const saturation: Definition = gauge('upstream_pool_saturation_ratio', ['upstream'], 'Active exchanges, without tunnels, to the connections there may be, times 1 + 0.3 x queue wait / p95 of the answers: above 0.8 errors are near.', 'max')
export const endpointUp: Definition = gauge('endpoint_up', ['upstream', 'endpoint'], '1 where the endpoint may be chosen; not there for one of weight 0.', 'min')
export const endpoints: Definition = gauge('endpoints', ['upstream', 'state'], 'Endpoints, by state; those of weight 0 are draining.', 'max')
export const breakerState: Definition = gauge('circuit_breaker_state', ['upstream', 'endpoint'], '0 closed, 1 half-open, 2 open.', 'max')
export const breakerTransitions: Definition = counter('circuit_breaker_transitions_total', ['upstream', 'to'], 'Changes of state of circuit breakers.')
export const ejections: Definition = counter('outlier_ejections_total', ['upstream', 'reason'], 'Endpoints put out of rotation for what they did to requests.')
export const healthChecks: Definition = counter('health_checks_total', ['upstream', 'endpoint', 'result'], 'Active health checks.')
export const websockets: Definition = gauge('websocket_active', ['upstream'], 'Tunnels that are open.')

export const reloads: Definition = counter('config_reloads_total', ['result'], 'Configurations that were put in force, or refused, after the first.')
export const reloadSuccessful: Definition = gauge('config_last_reload_successful', [], '1 if the last configuration that was given is in force.', 'min')
export const reloadTimestamp: Definition = gauge('config_last_reload_success_timestamp_seconds', [], 'When the configuration in force was put in force.', 'max')
export const configInfo: Definition = gauge('config_info', ['version'], 'The revision of the configuration in force.', 'max')
export const buildInfo: Definition = gauge('build_info', ['version', 'undici', 'node'], 'What is running.', 'max')
export const loopUtilization: Definition = gauge('event_loop_utilization_ratio', [], 'Share of the time since the last reading, a second ago or more, in which the event loop was busy.', 'max')
