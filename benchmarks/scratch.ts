import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A folder for generated configs, scripts and files, gone when this process is. */
export const scratch: string = mkdtempSync(join(tmpdir(), 'sluice-bench-'))

// nginx started by root reads its files as another user.
chmodSync(scratch, 0o755)

process.once('exit', () => rmSync(scratch, { recursive: true, force: true, maxRetries: 3 }))
