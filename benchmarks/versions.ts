import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { arch, cpus, release, totalmem } from 'node:os'
import { join } from 'node:path'
import { folder } from './folder.ts'
import { program } from './programs.ts'

const packages = ['@fastify/http-proxy', '@fastify/reply-from', 'fast-proxy', 'fastify', 'http-proxy', 'httpxy', 'undici']

export function versions (): Record<string, string> {
  const root = join(folder, '..')
  const found: Record<string, string> = {
    node: process.versions.node,
    'fastify-sluice': (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }).version,
    'fastify-sluice commit': said('git', ['-C', root, 'rev-parse', '--short', 'HEAD'], /^[0-9a-f]+$/m)
  }

  // Ours runs on the root's copies, the others on those of benchmarks/. Where they differ a ratio compares two things at once.
  for (const name of packages) found[name] = installedVersion(folder, name)
  for (const name of ['@fastify/reply-from', 'fastify', 'undici']) found[`${name} of ours`] = installedVersion(root, name)

  found.wrk = said('wrk', ['-v'], /wrk \S*?([\d.]+)/)
  found.nginx = said('nginx', ['-v'], /nginx\/([\d.]+)/)
  found.haproxy = said('haproxy', ['-v'], /version ([\d.]+)/)
  found.go = said('go', ['version'], /go([\d.]+)/)
  return found
}

export function machine (): Record<string, string | number> {
  const all = cpus()
  return { cpu: all[0]?.model ?? 'unknown', cores: all.length, memory: totalmem(), arch: arch(), kernel: release() }
}

function installedVersion (under: string, name: string): string {
  try {
    return (JSON.parse(readFileSync(join(under, 'node_modules', name, 'package.json'), 'utf8')) as { version: string }).version
  } catch {
    return 'absent'
  }
}

function said (name: string, args: readonly string[], pattern: RegExp): string {
  const path = program(name)
  if (path === null) return 'absent'

  // nginx and wrk say it on stderr, and wrk calls that a failure.
  const { stdout, stderr } = spawnSync(path, args, { encoding: 'utf8', timeout: 10_000 })
  const match = pattern.exec(`${stdout}${stderr}`)
  return match?.[1] ?? match?.[0] ?? 'unknown'
}
