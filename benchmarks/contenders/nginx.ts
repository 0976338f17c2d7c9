import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { folderFor, installed, runProgram } from '../external.ts'
import { replacement } from '../replacement.ts'
import { canaryUpstream, eight, feature, port, secureName, secureUpstream, tlsFiles, upstream } from '../contract.ts'

const nginx = installed('nginx')
const folder = folderFor('nginx')
const config = join(folder, 'nginx.conf')

const origins = feature === 'tls' ? [secureUpstream] : feature === 'endpoints' ? eight : [upstream]
const keep = 'keepalive 256; keepalive_requests 1000000000; keepalive_timeout 600s;'

// What only one scenario asks for.
const inServer = feature === 'tls' ? `ssl_certificate ${tlsFiles.cert}; ssl_certificate_key ${tlsFiles.key};` : ''
const inLocation = {
  tls: `proxy_ssl_verify on; proxy_ssl_trusted_certificate ${tlsFiles.ca}; proxy_ssl_name ${secureName}; proxy_ssl_server_name on;`,
  rewrite: `sub_filter '${replacement[0].replace('\n', '\\n')}' '${replacement[1].replace('\n', '\\n')}'; sub_filter_once off; sub_filter_types *;`
}
const through = feature === 'canary' ? 'http://$chosen' : feature === 'tls' ? 'https://origin' : 'http://origin'

writeFileSync(config, `
daemon off;
worker_processes 1;
pid ${folder}/nginx.pid;
error_log stderr crit;
events { worker_connections 4096; }
http {
  access_log off;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;

  upstream origin {
${origins.map((url) => `    server ${new URL(url).host};`).join('\n')}
    ${keep}
  }
  upstream next { server ${new URL(canaryUpstream).host}; ${keep} }
  map $http_x_canary $chosen { default origin; true next; }
  server {
    listen 127.0.0.1:${port} backlog=4096${feature === 'tls' ? ' ssl' : ''};
    ${inServer}
    keepalive_requests 1000000000;
    keepalive_timeout 600s;
    client_max_body_size 0;

    location / {
      proxy_pass ${through};
      ${feature === 'tls' || feature === 'rewrite' ? inLocation[feature] : ''}
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_redirect off;
      # Bodies are streamed in both directions, as by everybody else here; nothing goes through a file.
      proxy_request_buffering off;
      proxy_max_temp_file_size 0;
    }
  }
}
`)

runProgram(nginx, ['-p', folder, '-c', config])
