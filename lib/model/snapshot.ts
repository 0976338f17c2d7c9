import type { Route, Snapshot, Upstream } from '../../types/model.ts'

export class ProxySnapshot implements Snapshot {
  readonly revision: number
  readonly upstreams: ReadonlyMap<string, Upstream>
  readonly routes: ReadonlyMap<string, Route>

  constructor (revision: number, upstreams: ReadonlyMap<string, Upstream>, routes: ReadonlyMap<string, Route>) {
    this.revision = revision
    this.upstreams = upstreams
    this.routes = routes
  }
}
