import { maxHeaderSize } from 'node:http'
import type { PoolConfig } from './index.ts'

/** Bytes of names and values in the head of an answer: as many as Node's own parser takes, unless the pool says otherwise. */
export function headLimitOf (config: PoolConfig): number {
  return config.maxHeaderSize ?? maxHeaderSize
}
