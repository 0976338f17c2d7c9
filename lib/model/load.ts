import type { Load } from '../../types/model.ts'

export class UpstreamLoad implements Load {
  active = 0
  pending = 0
  retrying = 0
  // More than any budget keeps: the first to take from it finds what its own allows.
  credit = 20
  creditAt = 0
}
