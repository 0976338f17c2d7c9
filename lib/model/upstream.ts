import type { Upstream, UpstreamState } from '../../types/model.ts'

export class ProxyUpstream implements Upstream {
  readonly name: string
  state: UpstreamState
  refresh: () => void = () => {}

  constructor (name: string, state: UpstreamState) {
    this.name = name
    this.state = state
  }
}
