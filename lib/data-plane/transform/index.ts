import type { RequestHead, ResponseHead, ResponseHeaderEdits, HeaderEdits } from '../../../types/options.ts'
import type { Transform } from '../../../types/policy.ts'
import type { BehaviourConfig } from '../../config/normalize.ts'
import { AcceptCodings } from './accept-codings.ts'
import { RewriteCookies } from './cookies.ts'
import { Credentials } from './credentials.ts'
import { Expose } from './expose.ts'
import { Forwarded } from './forwarded.ts'
import { EditHeaders } from './header-edits.ts'
import { SetHost } from './host.ts'
import { type PrefixPair, RewriteLocation } from './location.ts'
import { OwnedNames } from './owned-names.ts'
import { UserTransform } from './user.ts'
import { Via } from './via.ts'

/*
 * What a route's behaviour asks for, as flat lists in the order of application. Hop-by-hop fields and the trace context come
 * before all of these; see forwarder.ts.
 */

export function requestTransforms (behaviour: BehaviourConfig, pair: PrefixPair | null, instance: string, owned: OwnedNames): Transform<RequestHead>[] {
  const list: Transform<RequestHead>[] = []
  if (behaviour.host !== 'upstream') list.push(new SetHost(behaviour.host === 'original' ? null : behaviour.host))
  const isStripped = pair !== null && pair.client !== '' && pair.client !== pair.upstream
  list.push(new Forwarded(behaviour.forwarded, isStripped ? pair.client : ''))
  if (behaviour.via !== false) list.push(new Via(behaviour.via, instance))
  if (isRewriting(behaviour.body)) list.push(new AcceptCodings())
  if (behaviour.credentials !== undefined) list.push(new Credentials(behaviour.credentials, owned))
  if (hasEdits(behaviour.headers.request)) list.push(new EditHeaders(behaviour.headers.request, 'request'))
  if (behaviour.onProxyRequest !== undefined) list.push(new UserTransform('onProxyRequest', behaviour.onProxyRequest))
  return list
}

/** Names of the client's fields that the route answers for; `Credentials` adds those that its function gives. */
export function ownedNames ({ credentials, headers, forwardDeadline }: BehaviourConfig): OwnedNames {
  const { set = {}, remove = [] } = headers.request ?? {}
  const declared = typeof credentials === 'object' ? credentials.names : []
  const deadline = deadlineHeader(forwardDeadline)
  return new OwnedNames([...Object.keys(set), ...remove, ...declared, ...deadline === null ? [] : [deadline]])
}

/** The field that tells the upstream how long it has; null for none. */
export function deadlineHeader (forwardDeadline: boolean | string): string | null {
  if (forwardDeadline === false) return null
  return forwardDeadline === true ? 'x-envoy-expected-rq-timeout-ms' : forwardDeadline.toLowerCase()
}

export function responseTransforms (behaviour: BehaviourConfig, pair: PrefixPair | null): Transform<ResponseHead>[] {
  const list: Transform<ResponseHead>[] = []
  if (behaviour.location && pair !== null) list.push(new RewriteLocation(pair) as Transform<ResponseHead>)
  if (behaviour.cookies !== undefined) list.push(new RewriteCookies(behaviour.cookies))
  if (behaviour.expose) list.push(new Expose())
  const edits = behaviour.headers.response
  if (hasEdits(edits)) list.push(edits.when === undefined || edits.when === 'always' ? new EditHeaders(edits, 'response') : new EditWhen(edits))
  if (behaviour.onProxyResponse !== undefined) list.push(new UserTransform('onProxyResponse', behaviour.onProxyResponse))
  return list
}

/** Edits of answers that no upstream made; null where `when` does not ask for any. */
export function localResponseTransforms (behaviour: BehaviourConfig): Transform<ResponseHead>[] | null {
  const edits = behaviour.headers.response
  if (!hasEdits(edits) || edits.when === undefined) return null
  return [edits.when === 'always' ? new EditHeaders(edits, 'response') : new EditWhen(edits)]
}

function isRewriting ({ rewrite, rewriteJson }: BehaviourConfig['body']): boolean {
  return rewriteJson !== undefined || (rewrite !== undefined && rewrite !== false)
}

/** Edits for one half of the statuses. */
class EditWhen extends EditHeaders {
  readonly #isFailure: boolean

  constructor (edits: ResponseHeaderEdits) {
    super(edits, 'response')
    this.#isFailure = edits.when === 'failure'
  }

  override apply (head: ResponseHead, exchange: Parameters<EditHeaders['apply']>[1]): void {
    if ((head.statusCode >= 400) === this.#isFailure) super.apply(head, exchange)
  }
}

function hasEdits<Edits extends HeaderEdits> (edits: Edits | undefined): edits is Edits {
  return edits !== undefined && (edits.set !== undefined || edits.append !== undefined || edits.remove !== undefined)
}
