import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { large, medium, small } from '../answers.ts'
import { port, tlsFiles } from '../contract.ts'
import { folderFor, installed, runProgram } from '../external.ts'

const nginx = installed('nginx')
const folder = folderFor('origin')

// Its worker may run as another user, who has to read the files.
chmodSync(folder, 0o755)

const files = join(folder, 'files')
mkdirSync(files)
writeFileSync(join(files, '64k'), medium)
writeFileSync(join(files, '10m'), large)
// Never sent: the content phase has to find a file before it can refuse the POST to it.
writeFileSync(join(files, 'echo-length'), '')

const config = join(folder, 'nginx.conf')
writeFileSync(config, `
daemon off;
worker_processes 1;
pid ${folder}/nginx.pid;
error_log stderr error;
events { worker_connections 4096; }
http {
  access_log off;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;

  sendfile on;
  tcp_nopush on;
  open_file_cache max=8 inactive=1h;
  open_file_cache_valid 1h;
  default_type text/plain;

  keepalive_timeout 600s;
  keepalive_requests 1000000000;
  client_max_body_size 0;
  client_body_buffer_size 2m;

  server {
${Array.from({ length: 8 }, (_, index) => `    listen 127.0.0.${index + 1}:${port} backlog=4096;`).join('\n')}
    listen 127.0.0.9:${port} backlog=4096 ssl;
    ssl_certificate ${tlsFiles.cert};
    ssl_certificate_key ${tlsFiles.key};
    root ${files};

    location = /small { default_type application/json; return 200 '${small.toString()}'; }

    location ~ ^/route-.*/small$ { default_type application/json; return 200 '${small.toString()}'; }
    # Which of its addresses was asked.
    location = /where { return 200 $server_addr; }

    # "return" would answer before the upload is read, and a proxy could see an early answer. "mirror" is the
    # core module that reads a body whole; the static file then refuses the POST, and that is the answer.
    location = /echo-length { mirror /read; error_page 405 = @count; }
    location = /read { internal; return 204; }
    location @count { return 200 $content_length; }
  }
}
`)

runProgram(nginx, ['-p', folder, '-c', config])
