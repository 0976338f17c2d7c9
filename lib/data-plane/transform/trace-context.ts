import { randomFillSync } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import type { ProxyExchange, TraceContext } from '../../model/exchange.ts'

/*
 * W3C Trace Context without an SDK (with one, see observe/tracing.ts). Strings are cut and compared, never parsed by a regular
 * expression: this runs for every request.
 */

const ZERO_TRACE = '0'.repeat(32)
const ZERO_SPAN = '0'.repeat(16)
/** What W3C allows; a list with more is dropped whole. */
const MEMBERS = 32
/** Baggage that must be passed on (W3C Baggage 3.3.2); what is over it may be dropped, in whole members. */
const BAGGAGE_MEMBERS = 64
const BAGGAGE_BYTES = 8192

/**
 * Reads the client's trace context, or begins a new one; null where there is none to pass through. Node joins repeated lines
 * with ', ', and a joined traceparent is as invalid as it should be.
 */
export function readTrace (headers: IncomingHttpHeaders, mode: 'participate' | 'passthrough' | 'restart', isRestarted: boolean): TraceContext | null {
  const traceparent = headers['traceparent'] as string | undefined
  if (!isRestarted && traceparent !== undefined && isTraceparent(traceparent)) {
    return {
      traceId: traceparent.slice(3, 35),
      spanId: mode === 'passthrough' ? traceparent.slice(36, 52) : randomHex(8),
      flags: knownFlags(traceparent),
      state: checkTracestate(headers['tracestate'] as string | undefined)
    }
  }
  if (mode === 'passthrough' && !isRestarted) return null
  // Sampled: a proxy that began traces unsampled would silence every tracer behind it that follows its parent.
  return { traceId: randomHex(16), spanId: randomHex(8), flags: '01', state: null }
}

/** Writes the exchange's trace context into an attempt's headers. Every attempt is a span of its own. */
export function writeTrace (exchange: ProxyExchange, headers: Record<string, string | string[]>, attempt: number): void {
  const { trace: mode } = exchange.route
  if (mode === false) return
  const { trace } = exchange
  if (mode === 'passthrough' && !exchange.isTraceRestarted) {
    // A traceparent that is not changed goes with an unchanged tracestate; an invalid one goes with nothing.
    if (trace !== null) return
    delete headers['traceparent']
    delete headers['tracestate']
    return
  }
  const { traceId, spanId, flags, state } = trace!
  headers['traceparent'] = `00-${traceId}-${attempt === 1 ? spanId : randomHex(8)}-${flags}`
  if (state !== null) headers['tracestate'] = state
  else if (headers['tracestate'] !== undefined) delete headers['tracestate']
  const { baggage } = headers
  if (baggage === undefined) return
  const kept = exchange.isTraceRestarted ? null : boundBaggage(String(baggage))
  if (kept === null) delete headers['baggage']
  else headers['baggage'] = kept
}

/** Version, trace id, parent id and flags; more after them only in versions to come. */
export function isTraceparent (value: string): boolean {
  if (value.length < 55 || value.charCodeAt(2) !== 0x2d || value.charCodeAt(35) !== 0x2d || value.charCodeAt(52) !== 0x2d) return false
  if (!isHex(value, 0, 2) || !isHex(value, 3, 35) || !isHex(value, 36, 52) || !isHex(value, 53, 55)) return false
  if (value.startsWith('ff')) return false
  if (value.length > 55 && (value.startsWith('00') || value.charCodeAt(55) !== 0x2d)) return false
  return !value.startsWith(ZERO_TRACE, 3) && !value.startsWith(ZERO_SPAN, 36)
}

/** Sampled (0x01) and random (0x02); flags that we do not know are cleared. */
function knownFlags (traceparent: string): string {
  const last = traceparent.charCodeAt(54)
  const digit = last >= 0x61 ? last - 0x57 : last - 0x30
  return `0${digit & 3}`
}

/** The list as it came, or null when it has a fault: half a list would be somebody's state in part. */
function checkTracestate (value: string | undefined): string | null {
  if (value === undefined || value === '') return null
  const members = value.split(',')
  let count = 0
  for (const member of members) {
    const trimmed = member.trim()
    if (trimmed === '') continue // empty members are legal
    if (++count > MEMBERS || !memberPattern.test(trimmed)) return null
  }
  return count === 0 ? null : value
}

/** `key=value`, keys as Level 2 has them (W3C Trace Context 2, 3.3.1.3.1); every part is bounded, so the match is linear. */
const memberPattern = /^[a-z0-9][a-z0-9_\-*/@]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/

function boundBaggage (value: string): string | null {
  if (value.length <= BAGGAGE_BYTES && value.split(',', BAGGAGE_MEMBERS + 1).length <= BAGGAGE_MEMBERS) return value
  let kept = ''
  let count = 0
  for (const member of value.split(',')) {
    const longer = kept === '' ? member : `${kept},${member}`
    if (count === BAGGAGE_MEMBERS || longer.length > BAGGAGE_BYTES) break
    kept = longer
    count++
  }
  return kept === '' ? null : kept
}

function isHex (value: string, from: number, to: number): boolean {
  for (let index = from; index < to; index++) {
    const char = value.charCodeAt(index)
    // Lower case only, as the specification has it.
    if (!((char >= 0x30 && char <= 0x39) || (char >= 0x61 && char <= 0x66))) return false
  }
  return true
}

/** Randomness by the pool, since asking for it costs more than what comes. */
const pool = Buffer.allocUnsafeSlow(16 * 1024)
let poolUsed = pool.length
/** In hex by the page, at once; small, since every id is a part of its page and keeps it. */
const PAGE = 1024
let page = ''
let used = 0

/** `bytes` random bytes in hex, never all zero. */
export function randomHex (bytes: number): string {
  const end = used + 2 * bytes
  if (end > page.length) {
    turnPage()
    return randomHex(bytes)
  }
  const hex = page.slice(used, end)
  used = end
  return hex === ZERO_SPAN || hex === ZERO_TRACE ? randomHex(bytes) : hex
}

function turnPage (): void {
  if (poolUsed === pool.length) {
    randomFillSync(pool)
    poolUsed = 0
  }
  page = pool.toString('hex', poolUsed, poolUsed + PAGE)
  poolUsed += PAGE
  used = 0
}
