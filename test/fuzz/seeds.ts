import zlib from 'node:zlib'

/* What is mutated. `%` is the part of the proxy it is for: plain, text, json, whole, limit, tight. */

export const parts: readonly string[] = ['plain', 'plain', 'text', 'json', 'whole', 'limit', 'edits']

export const requestSeeds: readonly string[] = [
  'GET /%/x?y=1 HTTP/1.1\r\nHost: proxy.test\r\nAccept: */*\r\nCookie: a=b; c=d\r\n\r\n',
  'POST /%/x HTTP/1.1\r\nHost: proxy.test\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n{"some": "x"}',
  'POST /%/x HTTP/1.1\r\nHost: proxy.test\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\nTE: trailers\r\nConnection: TE\r\n\r\n5;a=b\r\nhello\r\n3\r\nyou\r\n0\r\nX-Sum: 1\r\n\r\n',
  'PUT /%/a/b HTTP/1.1\r\nHost: proxy.test\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\nbody',
  'HEAD /%//x@y HTTP/1.0\r\nConnection: keep-alive, x-a\r\nX-A: b\r\n\r\n',
  'GET http://other.test/%/x HTTP/1.1\r\nHost: proxy.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  'OPTIONS * HTTP/1.1\r\nHost: proxy.test\r\nTraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\r\n',
  'DELETE /%/x HTTP/1.1\r\nHost: proxy.test\r\nVia: 1.1 sluice\r\nForwarded: for="[::1]:80\r\nX-Forwarded-For: a, ,b\r\nContent-Length: 2\r\n\r\nhi',
  'GET /%/one HTTP/1.1\r\nHost: proxy.test\r\n\r\nGET /%/two HTTP/1.1\r\nHost: proxy.test\r\nAccept-Encoding: gzip, br, zstd\r\n\r\nPOST /%/three HTTP/1.1\r\nHost: proxy.test\r\nContent-Length: 3\r\n\r\nabcHEAD /%/four HTTP/1.1\r\nHost: proxy.test\r\n\r\n',
  'POST /%/x HTTP/1.1\r\nHost: proxy.test\r\nContent-Length: 44\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: proxy.test\r\n\r\nx=',
  'POST /%/x HTTP/1.1\r\nHost: proxy.test\r\nTransfer-Encoding: chunked\r\n\r\n2c\r\nGET /smuggled HTTP/1.1\r\nHost: proxy.test\r\n\r\nx=\r\n0\r\n\r\n',
  'CONNECT proxy.test:80 HTTP/1.1\r\nHost: proxy.test\r\n\r\n',
  'TRACE /%/x HTTP/1.1\r\nHost: proxy.test\r\nMax-Forwards: 1\r\n\r\n',
  'GET /ws/x HTTP/1.1\r\nHost: proxy.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\x81\x05hello',
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0'
]

const coded = (bytes: Buffer, name: string): string =>
  `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: ${name}\r\nContent-Length: ${bytes.length}\r\nX-Echo: @\r\nETag: "x"\r\n\r\n${bytes.toString('latin1')}`
const json = Buffer.from('{"text": "internal.example", "list": [1, 2, 3]}')

/** `@` is the mark of the request that it answers. */
export const answerSeeds: readonly string[] = [
  'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 22\r\nX-Echo: @\r\n\r\nhello internal.example',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/html\r\nTrailer: X-Sum\r\nX-Echo: @\r\n\r\n5\r\nhello\r\n8;x=y\r\ninternal\r\n8\r\n.example\r\n0\r\nX-Sum: 1\r\n\r\n',
  'HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 302 Found\r\nLocation: /y\r\nSet-Cookie: a=b; Domain=x.internal; Path=/; SameSite=None\r\nSet-Cookie: __Host-c=d\r\nContent-Length: 0\r\nX-Echo: @\r\n\r\n',
  'HTTP/1.1 204 No Content\r\nConnection: close, x-a\r\nX-A: b\r\nX-Echo: @\r\n\r\n',
  'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\nContent-Length: 10\r\nX-Echo: @\r\n\r\n',
  'HTTP/1.0 200 OK\r\nX-Echo: @\r\n\r\nuntil the end, internal.example',
  'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Echo: @\r\n\r\ndata: internal.example\n\n',
  'HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nProxy-Status: other; error=x\r\nKeep-Alive: timeout=1\r\nContent-Length: 2\r\nX-Echo: @\r\n\r\nno',
  'HTTP/1.1 206 Partial\r\nContent-Range: bytes 0-4/10\r\nContent-Length: 5\r\nAccept-Ranges: bytes\r\nX-Echo: @\r\n\r\nhello',
  'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 24\r\nX-Echo: @\r\n\r\n{"text": "x", "n": [1]} ',
  'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Echo: @\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison',
  'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nX-Echo: @\r\n\r\n\x81\x05hello',
  'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Echo: @\r\n\r\nok',
  `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 70000\r\nX-Echo: @\r\n\r\n${'internal.example  ....internal.exampl'.repeat(1892).slice(0, 70000)}`,
  coded(zlib.gzipSync(json), 'gzip'),
  coded(zlib.deflateSync(json), 'deflate'),
  coded(zlib.deflateRawSync(json), 'deflate'),
  coded(zlib.brotliCompressSync(json), 'br'),
  coded(zlib.gzipSync(Buffer.alloc(2_000_000, ' ')), 'gzip')
]

/** Sound requests, for answers that are not. */
export const soundRequests: readonly { readonly method: string, readonly text: string }[] = [
  { method: 'GET', text: 'GET /%/x HTTP/1.1\r\nHost: proxy.test\r\nTE: trailers\r\nConnection: TE\r\n\r\n' },
  { method: 'GET', text: 'GET /%/x HTTP/1.1\r\nHost: proxy.test\r\nAccept-Encoding: gzip, br\r\n\r\n' },
  { method: 'HEAD', text: 'HEAD /%/x HTTP/1.1\r\nHost: proxy.test\r\n\r\n' },
  { method: 'POST', text: 'POST /%/x HTTP/1.1\r\nHost: proxy.test\r\nContent-Length: 5\r\n\r\nhello' },
  { method: 'PUT', text: 'PUT /%/x HTTP/1.1\r\nHost: proxy.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n' },
  { method: 'GET', text: 'GET /%/x HTTP/1.0\r\nHost: proxy.test\r\n\r\n' },
  { method: 'GET', text: 'GET /ws/x HTTP/1.1\r\nHost: proxy.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n' }
]
