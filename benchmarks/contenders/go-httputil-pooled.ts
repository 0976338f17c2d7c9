import '../contract.ts'
import { runGo } from '../go.ts'

// The documented way to tune it; without a BufferPool each response allocates 32 KiB for the collector.
runGo('go-httputil-pooled', { BUFFER_POOL: '1' })
