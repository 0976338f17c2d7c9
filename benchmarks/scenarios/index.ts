import type { Scenario } from '../scenario.ts'
import { smallGet } from './small-get.ts'
import { get64k } from './get-64k.ts'
import { download10m } from './download-10m.ts'
import { post1k } from './post-1k.ts'
import { post1m } from './post-1m.ts'
import { oneConnection } from './one-connection.ts'
import { slowOrigin } from './slow-origin.ts'

export const scenarios: readonly Scenario[] = [
  smallGet,
  get64k,
  download10m,
  post1k,
  post1m,
  oneConnection,
  slowOrigin
]
