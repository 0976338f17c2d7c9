import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { folderFor, installed, runProgram } from '../external.ts'
import { port, upstream } from '../contract.ts'

const haproxy = installed('haproxy')
const config = join(folderFor('haproxy'), 'haproxy.cfg')

writeFileSync(config, `
global
  nbthread 1
  maxconn 4096
defaults
  mode http
  option http-keep-alive
  http-reuse always
  timeout connect 5s
  timeout client 600s
  timeout server 600s
frontend front
  bind 127.0.0.1:${port} backlog 4096
  default_backend origin
backend origin
  server origin ${new URL(upstream).host}
`)

runProgram(haproxy, ['-db', '-f', config])
