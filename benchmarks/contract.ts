import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { folder } from './folder.ts'
import type { Feature } from './scenario.ts'

// What run.ts tells a contender: serve on 127.0.0.1:PORT and carry everything to UPSTREAM, doing what FEATURE asks beside that.

export const port: number = Number(process.env.PORT)
export const upstream: string = process.env.UPSTREAM ?? ''
export const feature: Feature = (process.env.FEATURE ?? 'none') as Feature

/** Which build of ours is served. */
export const library: string = process.env.LIBRARY ?? join(import.meta.dirname, '..', 'lib', 'index.js')

if (!Number.isInteger(port) || port < 1 || upstream === '') {
  console.error('A contender needs PORT (a number) and UPSTREAM (http://127.0.0.1:port).')
  process.exit(2)
}

/** The same origin under eight addresses: 127.0.0.1 to 127.0.0.8. */
export const eight: readonly string[] = Array.from({ length: 8 }, (_, index) => upstream.replace('127.0.0.1', `127.0.0.${index + 1}`))

/** Where canary requests go. */
export const canaryUpstream: string = eight[1]!

/** Another origin, which dies. */
export const second: string = process.env.SECOND ?? ''

/** Where the origin speaks TLS. Its certificate is one for `localhost`. */
export const secureUpstream: string = upstream.replace('http://127.0.0.1', 'https://127.0.0.9')
export const secureName = 'localhost'

const certificates = join(folder, '..', 'test', 'fixtures', 'tls')
export const tlsFiles: Readonly<Record<'cert' | 'key' | 'ca', string>> = {
  cert: join(certificates, 'server.pem'),
  key: join(certificates, 'server.key'),
  ca: join(certificates, 'ca.pem')
}

export interface Tls { readonly cert: string, readonly key: string, readonly ca: string }

export function tls (): Tls {
  return { cert: readFileSync(tlsFiles.cert, 'latin1'), key: readFileSync(tlsFiles.key, 'latin1'), ca: readFileSync(tlsFiles.ca, 'latin1') }
}

// Leaving by exit() rather than by the signal's default lets --cpu-prof and --heap-prof write their files.
process.once('SIGTERM', () => process.exit())

// Whoever started us may be killed without a chance to stop us; the closed channel still tells.
process.once('disconnect', () => process.exit())
