/*
 * What went wrong in two letters, as Envoy's access log has it (%RESPONSE_FLAGS%): for eyes and searches that know them from there.
 * By the word of the error table; semantics of both agree but for statuses, where this proxy follows RFC 9209.
 */
const flagOf: Readonly<Record<string, string>> = {
  config_error: 'NC',
  no_healthy_upstream: 'UH',
  circuit_open: 'UO',
  upstream_overflow: 'UO',
  queue_timeout: 'UO',
  rate_limited: 'RL',
  overloaded: 'OM',
  dns_error: 'DF',
  dns_timeout: 'DF',
  connection_refused: 'UF',
  destination_ip_unroutable: 'UF',
  connection_timeout: 'UF',
  tls_certificate_error: 'UF',
  tls_protocol_error: 'UF',
  tls_alert_received: 'UF',
  connection_terminated: 'UC',
  http_response_timeout: 'UT',
  request_timeout: 'DT',
  connection_read_timeout: 'SI',
  http_response_incomplete: 'UC',
  http_protocol_error: 'UPE',
  http_response_header_section_size: 'UPE',
  http_response_body_size: 'UPE',
  http_response_content_coding: 'UPE',
  http_upgrade_failed: 'UPE',
  http_request_error: 'IH',
  client_body_error: 'DPE',
  client_write_timeout: 'DC',
  client_closed_request: 'DC',
  shutting_down: 'LR'
}

/** '' where nothing failed; `URX` behind the other where trying again did not help. */
export function flagsOf (error: { readonly error: string, readonly side: string } | null, attempts: number): string {
  if (error === null) return ''
  const flag = flagOf[error.error] ?? ''
  if (attempts < 2 || error.side === 'client') return flag
  return flag === '' ? 'URX' : `${flag},URX`
}
