import { spawn } from 'node:child_process'
import { accessSync, chmodSync, constants, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import type { TestContext } from 'node:test'
import { ownPort } from '../helpers/ports.ts'
import { Program } from '../helpers/program.ts'
import { pause } from './load.ts'

/** What is to be between the clients and the upstream, in each peer's own words. */
export interface Guard {
  readonly upstreamPort: number
  /** Requests that the upstream is given at one time, and that may wait. */
  readonly active: number
  readonly pending: number
}

type Config = (port: number, folder: string, guard: Guard) => string

/** It has no queue (that is sold): what is beyond is refused. */
const nginx: Config = (port, folder, { upstreamPort, active }) => `
daemon off;
pid ${folder}/pid;
error_log stderr emerg;
worker_processes 1;
events { worker_connections 4096; }
http {
  access_log off;
  ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${folder}/${name};`).join(' ')}
  upstream some { zone some 64k; server 127.0.0.1:${upstreamPort} max_conns=${active} max_fails=0; keepalive ${active}; }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    keepalive_requests 1000000;
    location / { proxy_pass http://some; proxy_http_version 1.1; proxy_set_header Connection ""; }
  }
}
`

const haproxy: Config = (port, _folder, { upstreamPort, active, pending }) => `
global
  nbthread 1
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
  timeout queue 5s
frontend in
  bind 127.0.0.1:${port}
  default_backend some
backend some
  http-reuse always
  http-request deny deny_status 503 if { queue(some) ge ${pending} }
  server one 127.0.0.1:${upstreamPort} maxconn ${active}
`

const peers: Readonly<Record<string, { readonly config: Config, readonly args: (file: string) => string[] }>> = {
  nginx: { config: nginx, args: (file) => ['-c', file, '-e', 'stderr'] },
  haproxy: { config: haproxy, args: (file) => ['-db', '-f', file] }
}

export const peerNames: readonly string[] = Object.keys(peers)

/** Where a program lies, or null. Debian's sbin folders are on no user's PATH. */
function find (name: string): string | null {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter).concat('/usr/sbin', '/usr/local/sbin')) {
    try {
      accessSync(join(folder, name), constants.X_OK)
      return join(folder, name)
    } catch {}
  }
  return null
}

/** The url of one of the peers, in front of the upstream; null where it is not installed. */
export async function startPeer (t: TestContext, name: string, guard: Guard): Promise<string | null> {
  const path = find(name)
  if (path === null) return null
  const { config, args } = peers[name]!
  const folder = mkdtempSync(join(tmpdir(), `sluice-${name}-`))
  // Started by root, nginx works as somebody else.
  chmodSync(folder, 0o755)
  const port = await ownPort()
  const file = join(folder, 'config')
  writeFileSync(file, config(port, folder, guard))
  const child = spawn(path, args(file), { stdio: ['ignore', 'pipe', 'pipe'] })
  const program = new Program(child)
  t.after(async () => {
    // Not SIGKILL, which would leave nginx's worker behind.
    if (!program.isOver) child.kill('SIGTERM')
    await program.exited
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
  })
  while (!await listens(port)) {
    if (program.isOver) throw new Error(`${name} ended: ${program.stderr}`)
    await pause(20)
  }
  return `http://127.0.0.1:${port}`
}

function listens (port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => { socket.destroy(); resolve(true) })
    socket.once('error', () => { resolve(false) })
  })
}
