import type { FastifyRequest } from 'fastify'
import type { Canary, CanaryReason } from '../../types/model.ts'
import type { Tools } from '../../types/policy.ts'
import type { ProxyExchange } from '../model/exchange.ts'
import { keyText } from '../model/option-result.ts'
import { readCookie } from './cookie.ts'
import { isFullHalfOpen } from './limit/choose.ts'
import { ProxyError, proxyError } from '../errors.ts'

/** A value says canary, stable, or nothing; in the last case the next rule is asked. */
type Verdict = 'canary' | 'stable' | null

/**
 * Chooses the side of an exchange, once: by header, then cookie, then weight, in the order ingress-nginx documents.
 * Nothing that a client sends is an error here.
 * @throws ProxyError `no_healthy_upstream` when the chosen canary has no endpoint and says `fail`; TypeError for a sticky key that is none
 */
export function chooseVariant (exchange: ProxyExchange, canaries: readonly Canary[], tools: Tools): void {
  const { request } = exchange
  for (const canary of canaries) {
    if (canary.header === null) continue
    const verdict = judge(canary, headerOf(request, canary.header))
    if (verdict === 'stable') return
    if (verdict === 'canary') return take(exchange, canary, 'header', tools)
  }
  for (const canary of canaries) {
    if (canary.cookie === null) continue
    const verdict = judge(canary, readCookie(request.headers.cookie, canary.cookie))
    if (verdict === 'stable') return
    if (verdict === 'canary') return take(exchange, canary, 'cookie', tools)
  }
  for (const canary of canaries) {
    if (canary.weight > 0 && draw(canary, request, tools.random)) return take(exchange, canary, 'weight', tools)
  }
}

function take (exchange: ProxyExchange, canary: Canary, reason: CanaryReason, { now }: Tools): void {
  const { state } = canary.upstream
  const isEmpty = state.available.length === 0
  if (isEmpty && canary.onEmpty === 'fail') throw proxyError('no_healthy_upstream', 'select')
  // Endpoints that are all unwell, or half-open and without room, are a last resort; the stable side is a better one.
  if (canary.onEmpty === 'stable' && (isEmpty || state.isPanic || isFullHalfOpen(state, now))) {
    canary.fallbacks++
    return
  }
  exchange.canary = canary
  exchange.variantReason = reason
  exchange.upstream = canary.upstream
}

/**
 * Leads an exchange back to the stable side whose canary has run out of endpoints between the choice and the sending: several requests of
 * one turn may have counted on one probe.
 * @returns false where the error is the exchange's end
 */
export function fallBack (exchange: ProxyExchange, error: unknown): boolean {
  const { canary } = exchange
  if (canary === null || canary.onEmpty !== 'stable' || exchange.attempts > 0 || !isOutOfEndpoints(error)) return false
  canary.fallbacks++
  exchange.canary = null
  exchange.variantReason = null
  exchange.upstream = exchange.route.upstream
  return true
}

function isOutOfEndpoints (error: unknown): boolean {
  return error instanceof ProxyError && (error.error === 'circuit_open' || error.error === 'no_healthy_upstream')
}

function headerOf (request: FastifyRequest, name: string): string | null {
  const value = request.headers[name]
  return typeof value === 'string' ? value : null
}

function judge (canary: Canary, sent: string | null): Verdict {
  if (sent === null) return null
  const value = sent.trim().toLowerCase()
  const { values } = canary
  if (values === null) {
    if (value === 'true' || value === '1' || value === 'always') return 'canary'
    return value === 'false' || value === '0' || value === 'never' ? 'stable' : null
  }
  // The user's pattern, a stranger's text: 4,096 characters bound what a careless one can cost.
  if (values instanceof RegExp) return value.length <= 4096 && values.test(value) ? 'canary' : null
  return values.has(value) ? 'canary' : null
}

/** With a key, its hash decides instead of chance: the same side each time, on every replica, and more weight only ever adds to it. */
function draw (canary: Canary, request: FastifyRequest, random: () => number): boolean {
  const key = stickyKey(canary, request)
  const draw = key === undefined ? random() : bucket(canary.name, key) / 10_000
  return draw * 100 < canary.threshold
}

/**
 * The key by which a canary keeps its callers; undefined where it has none, or the request has not.
 * @throws TypeError for what is no key
 */
export function stickyKey ({ sticky }: Canary, request: FastifyRequest): string | undefined {
  return sticky === null ? undefined : keyText('canary.sticky', sticky(request))
}

/**
 * 0 to 9,999, evenly. FNV-1a over name and key, and the finalizer of MurmurHash3, without which FNV's low bits follow the
 * last letter. The name is in it, so that two canaries do not move the same users.
 */
function bucket (name: string, key: string): number {
  let hash = fnv1a(key, fnv1a(name, 0x811c9dc5))
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return ((hash ^ (hash >>> 16)) >>> 0) % 10_000
}

function fnv1a (text: string, seed: number): number {
  let hash = seed
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  }
  return hash
}
