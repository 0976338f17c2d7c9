import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { folderFor, installed, runProgram } from '../external.ts'
import { canaryUpstream, eight, feature, port, secureName, secureUpstream, tls, tlsFiles, upstream } from '../contract.ts'

const haproxy = installed('haproxy')
const folder = folderFor('haproxy')
const config = join(folder, 'haproxy.cfg')
const hostOf = (url: string): string => new URL(url).host

// It wants certificate and key in one file.
const { cert, key } = tls()
writeFileSync(join(folder, 'both.pem'), `${cert}\n${key}`)
const bind = feature === 'tls' ? ` ssl crt ${folder}/both.pem` : ''
const origins = feature === 'tls'
  ? [`${hostOf(secureUpstream)} ssl verify required ca-file ${tlsFiles.ca} verifyhost ${secureName} sni str(${secureName})`]
  : (feature === 'endpoints' ? eight : [upstream]).map(hostOf)

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
  bind 127.0.0.1:${port} backlog 4096${bind}
  ${feature === 'canary' ? 'use_backend next if { req.hdr(x-canary) true }' : ''}
  default_backend origin
backend origin
${origins.map((origin, index) => `  server origin${index} ${origin}`).join('\n')}
backend next
  server next ${hostOf(canaryUpstream)}
`)

runProgram(haproxy, ['-db', '-f', config])
