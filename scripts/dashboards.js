import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

/*
 * Writes ops/grafana: a dashboard is a page of JSON per panel, of which three lines are its own. `npm run dashboards` after a change.
 */

const seen = 'job=~"$job",instance=~"$instance"'
const byRoute = `${seen},route=~"$route"`
const byUpstream = `${seen},upstream=~"$upstream"`

/** What clients get as 5xx, and answers that broke off: as in ops/prometheus/rules.yml. */
const failed = (by, labels) => `sum by (${by}) (rate(sluice_requests_total{${labels},code=~"5.."}[$__rate_interval]) or rate(sluice_requests_total{${labels},code!~"5..",error!~"|client_.+|http_request_.+|rate_limited"}[$__rate_interval]))`
const all = (by, labels) => `sum by (${by}) (rate(sluice_requests_total{${labels}}[$__rate_interval]))`
/** Nothing having happened is 0, not an empty panel. */
const orZero = (expr, by, of) => `${expr} or 0 * ${all(by, of)}`
const share = (by, labels) => `(${orZero(failed(by, labels), by, labels)}) / (${all(by, labels)} > 0)`
const quantile = (q, metric, by, labels) => `histogram_quantile(${q}, sum by (${by}, le) (rate(${metric}_bucket{${labels}}[$__rate_interval])))`
const mean = (metric, by, labels) => `sum by (${by}) (rate(${metric}_sum{${labels}}[$__rate_interval])) / sum by (${by}) (rate(${metric}_count{${labels}}[$__rate_interval]))`
const rate = (metric, by, labels) => `sum by (${by}) (rate(${metric}{${labels}}[$__rate_interval]))`
const quiet = (expr) => `(${expr}) or vector(0)`

function panel (title, description, unit, targets, more = {}) {
  return { title, description, unit, targets: targets.map(([expr, legend]) => ({ expr, legend })), ...more }
}

const row = title => ({ row: title })

const gateway = [
  row('Objectives'),
  panel('Requests', 'Exchanges that ended, per second.', 'reqps', [[`sum(rate(sluice_requests_total{${byRoute}}[$__rate_interval]))`, 'requests']], { type: 'stat', width: 4 }),
  panel('Success', 'Share of requests that neither proxy nor upstream failed.', 'percentunit', [[`1 - (sum(${failed('job', byRoute)}) or vector(0)) / sum(rate(sluice_requests_total{${byRoute}}[$__rate_interval]))`, 'success']], { type: 'stat', width: 4 }),
  panel('p99', 'Of all routes, to the last byte.', 's', [[`histogram_quantile(0.99, sum by (le) (rate(sluice_request_duration_seconds_bucket{${byRoute}}[$__rate_interval])))`, 'p99']], { type: 'stat', width: 4 }),
  panel('Under way', 'Exchanges at this moment.', 'short', [[`sum(sluice_upstream_active_requests{${seen}})`, 'active']], { type: 'stat', width: 4 }),
  panel('Slow', 'Requests above the option slow of their route, per second.', 'reqps', [[`sum(rate(sluice_slow_requests_total{${byRoute}}[$__rate_interval]))`, 'slow']], { type: 'stat', width: 4 }),
  panel('Error budget', 'Share of failed requests in an hour, to the 0.1 % that are allowed: 1 uses up the budget of 30 days in 30 days.', 'short', [['max(route:sluice_error_ratio:rate1h{job=~"$job",route=~"$route"}) / 0.001', 'burn']], { type: 'stat', width: 4 }),
  row('Traffic'),
  panel('Requests by route', 'Per second.', 'reqps', [[all('route', byRoute), '{{route}}']]),
  panel('Requests by status', 'Per second; 499: the client left.', 'reqps', [[all('code', byRoute), '{{code}}']]),
  panel('Bytes', 'Bodies from clients and from upstreams.', 'Bps', [[`sum(rate(sluice_request_bytes_total{${byRoute}}[$__rate_interval]))`, 'in'], [`sum(rate(sluice_response_bytes_total{${byRoute}}[$__rate_interval]))`, 'out']]),
  row('Latency'),
  panel('Latency by route', 'What clients see, to the last byte.', 's', [['0.5', 'p50'], ['0.95', 'p95'], ['0.99', 'p99']].map(([q, name]) => [quantile(q, 'sluice_request_duration_seconds', 'route', byRoute), `${name} {{route}}`])),
  panel('Where the time goes', 'Mean of each stage, stacked.', 's', [
    [mean('sluice_overhead_duration_seconds', 'job', seen), 'proxy'],
    [mean('sluice_upstream_queue_duration_seconds', 'job', seen), 'queue'],
    [mean('sluice_upstream_connect_duration_seconds', 'job', seen), 'connect, per connection'],
    [mean('sluice_upstream_header_duration_seconds', 'job', seen), 'first byte']
  ], { stack: true }),
  panel('Time in the proxy', 'Of an exchange, neither in an attempt nor in the queue. Us, rather than them.', 's', [['0.5', 'p50'], ['0.99', 'p99']].map(([q, name]) => [quantile(q, 'sluice_overhead_duration_seconds', 'route', byRoute), `${name} {{route}}`])),
  panel('Slow requests', 'Above the option slow of their route: spikes that averages hide.', 'reqps', [[rate('sluice_slow_requests_total', 'route, upstream, variant', byRoute), '{{route}} {{upstream}} {{variant}}']]),
  row('Errors'),
  panel('Errors by cause', 'The words of the error table, per second. Client errors are beside.', 'reqps', [[quiet(`sum by (error, code) (rate(sluice_requests_total{${byRoute},error!~"|client_.+|http_request_.+"}[$__rate_interval]))`), '{{code}} {{error}}']], { stack: true }),
  panel('Failing routes', 'Share of their requests.', 'percentunit', [[share('route', byRoute), '{{route}}']]),
  panel('By clients', 'Those that left, and those whose requests cannot be forwarded.', 'reqps', [[quiet(`sum by (error) (rate(sluice_requests_total{${byRoute},error=~"client_.+|http_request_.+"}[$__rate_interval]))`), '{{error}}']]),
  panel('Statuses of upstreams', '5xx that an upstream made itself.', 'reqps', [[quiet(`sum by (route, code) (rate(sluice_requests_total{${byRoute},code=~"5..",error=""}[$__rate_interval]))`), '{{route}} {{code}}']]),
  row('Canaries'),
  panel('Share of variants', 'Of the requests of each route.', 'percentunit', [[`${all('route, variant', byRoute)} / on (route) group_left () ${all('route', byRoute)}`, '{{route}} {{variant}}']]),
  panel('Errors of variants', 'Share of failed requests, stable beside canaries.', 'percentunit', [[share('route, variant', byRoute), '{{route}} {{variant}}']]),
  panel('p95 of variants', 'To the last byte.', 's', [[quantile('0.95', 'sluice_request_duration_seconds', 'route, variant', byRoute), '{{route}} {{variant}}']]),
  panel('What chose the canary', 'And how often stable served for want of endpoints.', 'reqps', [
    [quiet(`sum by (route, variant, reason) (rate(sluice_canary_requests_total{${byRoute}}[$__rate_interval]))`), '{{route}} {{variant}} {{reason}}'],
    [quiet(`sum by (route, variant) (rate(sluice_canary_fallbacks_total{${byRoute}}[$__rate_interval]))`), '{{route}} {{variant}} fell back']
  ]),
  row('Process and configuration'),
  panel('Event loop', 'Share of the time in which it was busy: near 1, everything waits for it.', 'percentunit', [[`sluice_event_loop_utilization_ratio{${seen}}`, '{{instance}}']]),
  panel('Rate limits', 'Requests answered with 429 by the proxy.', 'reqps', [[quiet(`sum by (route, limiter) (rate(sluice_rate_limited_total{${byRoute}}[$__rate_interval]))`), '{{route}} {{limiter}}']]),
  panel('Configuration', 'Whether the last one is in force, and for how long.', 's', [[`time() - sluice_config_last_reload_success_timestamp_seconds{${seen}}`, '{{instance}}']]),
  panel('Versions', 'What runs where.', 'short', [[`sum by (version, undici, node) (sluice_build_info{${seen}})`, 'sluice {{version}}, undici {{undici}}, Node {{node}}'], [`sum by (version) (sluice_config_info{${seen}})`, 'configuration {{version}}']])
]

const upstreams = [
  row('Endpoints'),
  panel('Available', 'Share of the endpoints that may be chosen.', 'percentunit', [[`sum by (upstream) (sluice_endpoint_up{${byUpstream}}) / count by (upstream) (sluice_endpoint_up{${byUpstream}})`, '{{upstream}}']]),
  panel('States', 'Endpoints in each state.', 'short', [[`sum by (upstream, state) (sluice_endpoints{${byUpstream},state!="total"})`, '{{upstream}} {{state}}']]),
  panel('Ejections and health checks', 'Per second.', 'ops', [
    [quiet(`sum by (upstream, reason) (rate(sluice_outlier_ejections_total{${byUpstream}}[$__rate_interval]))`), '{{upstream}} ejected: {{reason}}'],
    [quiet(`sum by (upstream, result) (rate(sluice_health_checks_total{${byUpstream}}[$__rate_interval]))`), '{{upstream}} checked: {{result}}']
  ]),
  panel('Circuit breakers', '0 closed, 1 half-open, 2 open.', 'short', [[`max by (upstream, endpoint) (sluice_circuit_breaker_state{${byUpstream}})`, '{{upstream}} {{endpoint}}'], [`sum by (upstream, to) (increase(sluice_circuit_breaker_transitions_total{${byUpstream}}[$__rate_interval]))`, '{{upstream}} to {{to}}']]),
  row('Attempts'),
  panel('Attempts by endpoint', 'Per second, retries included.', 'reqps', [[rate('sluice_upstream_attempts_total', 'upstream, endpoint', byUpstream), '{{upstream}} {{endpoint}}']]),
  panel('Failures by endpoint', 'Attempts that came to nothing, and answers of 5xx.', 'reqps', [[quiet(`sum by (upstream, endpoint, error, code_class) (rate(sluice_upstream_attempts_total{${byUpstream},error!~"|client_.+"}[$__rate_interval]) or rate(sluice_upstream_attempts_total{${byUpstream},code_class="5xx",error=""}[$__rate_interval]))`), '{{upstream}} {{endpoint}} {{error}} {{code_class}}']]),
  panel('Retries', 'By what the attempt before failed with, and how they ended.', 'reqps', [[quiet(`sum by (upstream, reason, result) (rate(sluice_upstream_retries_total{${byUpstream}}[$__rate_interval]))`), '{{upstream}} {{reason}} {{result}}']]),
  panel('Retry ratio', 'Retries among attempts.', 'percentunit', [[`(sum by (upstream) (rate(sluice_upstream_retries_total{${byUpstream},result!="budget_exhausted"}[$__rate_interval])) or 0 * sum by (upstream) (rate(sluice_upstream_attempts_total{${byUpstream}}[$__rate_interval]))) / (sum by (upstream) (rate(sluice_upstream_attempts_total{${byUpstream}}[$__rate_interval])) > 0)`, '{{upstream}}']]),
  row('Latency'),
  panel('Time to first byte', 'From a request being written to the head of its answer.', 's', [['0.5', 'p50'], ['0.99', 'p99'], ['0.9999', 'p99.99']].map(([q, name]) => [quantile(q, 'sluice_upstream_header_duration_seconds', 'upstream', byUpstream), `${name} {{upstream}}`])),
  panel('Whole attempts', 'To the last byte of the body, p95.', 's', [[quantile('0.95', 'sluice_upstream_request_duration_seconds', 'upstream, code_class', byUpstream), '{{upstream}} {{code_class}}']]),
  panel('Time to first byte, all of it', 'How many answers were how fast.', 's', [[`sum by (le) (increase(sluice_upstream_header_duration_seconds_bucket{${byUpstream}}[$__rate_interval]))`, '{{le}}']], { type: 'heatmap' }),
  row('Pools'),
  panel('Saturation', 'Active exchanges to the connections there may be, steeper while exchanges wait. Above 0.8, 502 and 503 are near.', 'percentunit', [[`max by (upstream) (sluice_upstream_pool_saturation_ratio{${byUpstream}})`, '{{upstream}}']]),
  panel('Queue', 'Wait for a turn and for a connection.', 's', [['0.5', 'p50'], ['0.99', 'p99']].map(([q, name]) => [quantile(q, 'sluice_upstream_queue_duration_seconds', 'upstream', byUpstream), `${name} {{upstream}}`])),
  panel('Active and waiting', 'Exchanges at this moment.', 'short', [[`sum by (upstream, endpoint) (sluice_upstream_active_requests{${byUpstream}})`, '{{upstream}} {{endpoint}}'], [`sum by (upstream) (sluice_upstream_pending_requests{${byUpstream}})`, '{{upstream}} waiting'], [`sum by (upstream) (sluice_websocket_active{${byUpstream}})`, '{{upstream}} tunnels']]),
  panel('Connections', 'Open ones.', 'short', [[`sum by (upstream, endpoint, state) (sluice_upstream_connections{${byUpstream}})`, '{{upstream}} {{endpoint}} {{state}}']]),
  panel('Connections made and ended', 'Many per request mean that keep-alive does not work.', 'ops', [[rate('sluice_upstream_connections_opened_total', 'upstream', byUpstream), '{{upstream}} made'], [rate('sluice_upstream_connections_closed_total', 'upstream, reason', byUpstream), '{{upstream}} ended: {{reason}}']]),
  panel('Connecting', 'Name, TCP and TLS, p99.', 's', [[quantile('0.99', 'sluice_upstream_connect_duration_seconds', 'upstream', byUpstream), '{{upstream}}']]),
  panel('Failed connections', 'By the words of the error table.', 'ops', [[quiet(`sum by (upstream, error) (rate(sluice_upstream_connect_failures_total{${byUpstream}}[$__rate_interval]))`), '{{upstream}} {{error}}']]),
  panel('TLS', 'Handshakes that failed, and sessions that were resumed.', 'ops', [[rate('sluice_upstream_tls_handshake_failures_total', 'upstream, reason', byUpstream), '{{upstream}} {{reason}}'], [rate('sluice_upstream_tls_sessions_reused_total', 'upstream', byUpstream), '{{upstream}} resumed']])
]

const datasource = { type: 'prometheus', uid: '$datasource' }

function variable (name, label, metric, extra = '') {
  const query = `label_values(${metric}${extra}, ${name})`
  return {
    name,
    label,
    type: 'query',
    datasource,
    definition: query,
    query: { query, refId: name },
    refresh: 2,
    multi: true,
    includeAll: true,
    allValue: '.+',
    current: { selected: true, text: ['All'], value: ['$__all'] },
    sort: 1
  }
}

function dashboard (uid, title, description, panels, variables) {
  const placed = []
  let x = 0
  let y = 0
  let height = 0
  let id = 0
  for (const { row, title, description, unit, targets, type = 'timeseries', width = 8, stack = false } of panels) {
    const h = row !== undefined ? 1 : type === 'stat' ? 4 : 8
    const w = row !== undefined ? 24 : width
    if (row !== undefined || x + w > 24) {
      y += height
      x = 0
      height = 0
    }
    const gridPos = { h, w, x, y }
    x += w
    height = Math.max(height, h)
    id++
    if (row !== undefined) {
      placed.push({ id, type: 'row', title: row, collapsed: false, gridPos, panels: [] })
      continue
    }
    const defaults = { unit, min: 0 }
    if (type === 'timeseries') defaults.custom = { fillOpacity: stack ? 30 : 5, stacking: { mode: stack ? 'normal' : 'none', group: 'A' }, showPoints: 'never' }
    placed.push({
      id,
      type,
      title,
      description,
      datasource,
      gridPos,
      fieldConfig: { defaults, overrides: [] },
      options: optionsOf(type),
      targets: targets.map(({ expr, legend }, index) => ({
        refId: String.fromCharCode(65 + index), datasource, expr, legendFormat: legend, ...(type === 'heatmap' ? { format: 'heatmap' } : {})
      }))
    })
  }
  return {
    uid,
    title,
    description,
    tags: ['fastify-sluice'],
    editable: false,
    graphTooltip: 1,
    refresh: '30s',
    schemaVersion: 39,
    timezone: 'browser',
    version: 1,
    time: { from: 'now-1h', to: 'now' },
    templating: {
      list: [
        { name: 'datasource', label: 'Data source', type: 'datasource', query: 'prometheus', current: {}, refresh: 1 },
        variable('job', 'Job', 'sluice_build_info'),
        variable('instance', 'Instance', 'sluice_build_info', '{job=~"$job"}'),
        ...variables
      ]
    },
    links: [{ title: 'fastify-sluice', type: 'dashboards', tags: ['fastify-sluice'], asDropdown: false, includeVars: true, keepTime: true }],
    panels: placed
  }
}

function optionsOf (type) {
  if (type === 'stat') return { reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false }, colorMode: 'value', graphMode: 'area' }
  if (type === 'heatmap') return { calculate: false, yAxis: { unit: 's' }, color: { scheme: 'Oranges', mode: 'scheme' } }
  return { legend: { displayMode: 'list', placement: 'bottom' }, tooltip: { mode: 'multi', sort: 'desc' } }
}

export const dashboards = {
  'gateway.json': dashboard('fastify-sluice-gateway', 'Gateway', 'What clients get of it: traffic, latency, errors, canaries.', gateway, [variable('route', 'Route', 'sluice_slow_requests_total', `{${seen}}`)]),
  'upstreams.json': dashboard('fastify-sluice-upstreams', 'Gateway: upstreams', 'What is behind it: endpoints, attempts, connections, queues.', upstreams, [variable('upstream', 'Upstream', 'sluice_endpoints', `{${seen}}`)])
}

export function print (dashboard) {
  return `${JSON.stringify(dashboard, null, 2)}\n`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = fileURLToPath(new URL('../ops/grafana', import.meta.url))
  mkdirSync(folder, { recursive: true })
  for (const [name, dashboard] of Object.entries(dashboards)) writeFileSync(join(folder, name), print(dashboard))
}
