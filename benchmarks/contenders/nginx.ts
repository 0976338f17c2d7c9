import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { folderFor, installed, runProgram } from '../external.ts'
import { port, upstream } from '../contract.ts'

const nginx = installed('nginx')
const folder = folderFor('nginx')
const config = join(folder, 'nginx.conf')

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
    server ${new URL(upstream).host};
    keepalive 256;
    keepalive_requests 1000000000;
    keepalive_timeout 600s;
  }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    keepalive_requests 1000000000;
    keepalive_timeout 600s;
    client_max_body_size 0;

    location / {
      proxy_pass http://origin;
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
