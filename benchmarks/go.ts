import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { folder } from './folder.ts'
import { feature, secureName, secureUpstream, tlsFiles } from './contract.ts'
import { folderFor, installed, runProgram } from './external.ts'

/** Compiles and runs contenders/go-httputil/main.go, on one core like everybody else. */
export function runGo (contender: string, env: Readonly<Record<string, string>> = {}): void {
  const go = installed('go')
  const scratch = folderFor(contender)
  const binary = join(scratch, contender)

  execFileSync(go, ['build', '-o', binary, join(folder, 'contenders', 'go-httputil', 'main.go')], {
    stdio: ['ignore', 'inherit', 'inherit'],
    timeout: 80_000,
    // Only the standard library is used, so nothing may be fetched; a build that is killed leaves its files where we remove them.
    env: { ...process.env, GO111MODULE: 'off', GOTOOLCHAIN: 'local', GOFLAGS: '', GOTMPDIR: scratch }
  })

  const secure = feature === 'tls' ? { UPSTREAM: secureUpstream, TLS_CERT: tlsFiles.cert, TLS_KEY: tlsFiles.key, TLS_CA: tlsFiles.ca, TLS_NAME: secureName } : {}
  runProgram(binary, [], { ...env, ...secure, GOMAXPROCS: '1' })
}
