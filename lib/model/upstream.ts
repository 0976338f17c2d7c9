import type { Limits, Upstream, UpstreamState } from '../../types/model.ts'
import { Line } from './line.ts'
import { UpstreamLoad } from './load.ts'

/** For what no options describe. */
const unlimited: Limits = Object.freeze({ active: Infinity, pending: Infinity, queueTimeout: Infinity })

export class ProxyUpstream implements Upstream {
  readonly name: string
  readonly label: string
  readonly limits: Limits
  readonly load: UpstreamLoad = new UpstreamLoad()
  /** Exchanges that wait for one of its endpoints. */
  readonly line: Line
  state: UpstreamState
  waker: Upstream['waker'] = null
  refresh: () => void = () => {}

  constructor (name: string, state: UpstreamState, limits: Limits = unlimited, label: string = name) {
    this.name = name
    this.label = label
    this.state = state
    this.limits = limits
    this.line = new Line(this.load)
  }
}
