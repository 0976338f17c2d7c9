import { createServer } from 'node:http'
import { port } from '../contract.ts'
import { small } from '../answers.ts'

// What a connection costs in Node by itself: no proxy.
createServer({ keepAliveTimeout: 600_000 }, (_request, response) => {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': small.length }).end(small)
}).listen(port, '127.0.0.1', 4096)
