import type { Exchange } from '../../../types/model.ts'
import type { Transform } from '../../../types/policy.ts'
import type { RequestHead } from '../../../types/options.ts'
import { proxyError } from '../../errors.ts'

/** Hops under our name that are no longer taken for a chain of gateways; for those whose way drops comments. */
const HOPS = 16

/**
 * Adds this hop to Via (RFC 9110 7.6.3) and refuses a request that has been here: the comment behind our name is this
 * gateway's own, so that a chain of several sluices is no loop.
 */
export class Via implements Transform<RequestHead> {
  readonly #pseudonym: string
  readonly #mark: string
  /** An element that was received under our very name, with or without a comment. */
  readonly #hop: RegExp

  constructor (pseudonym: string, instance: string) {
    this.#pseudonym = ` ${pseudonym}`
    this.#mark = `${pseudonym} (${instance})`
    this.#hop = new RegExp(`(?:^|,)\\s*\\S+ +${pseudonym.replace(/[^\w]/g, '\\$&')}(?=[\\s,(]|$)`, 'g')
  }

  apply (head: RequestHead, { request }: Exchange): void {
    const received = request.headers['via']
    const own = request.raw.httpVersionMajor === 1 && request.raw.httpVersionMinor === 1 ? '1.1 ' : `${request.raw.httpVersion} `
    if (received === undefined) {
      head.headers['via'] = own + this.#mark
      return
    }
    const chain = String(received)
    if (chain.includes(this.#mark) || this.#isLong(chain)) throw proxyError('proxy_loop_detected', 'select')
    head.headers['via'] = `${chain}, ${own}${this.#mark}`
  }

  /** Names that only begin with ours are somebody else's; looked at closely only where there are many. */
  #isLong (chain: string): boolean {
    return chain.split(this.#pseudonym).length > HOPS && [...chain.matchAll(this.#hop)].length >= HOPS
  }
}
