import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/*
 * An upstream as a process of its own, which scenarios kill, stop and start again: `upstream.js PORT [STATUS]`. Every answer says which process it is from.
 */
const [port = '0', status = '200'] = process.argv.slice(2)

const server = createServer((request, response) => {
  request.resume()
  const body = `${process.pid}`
  response.writeHead(request.url === '/up' ? 200 : Number(status), { 'content-type': 'text/plain', 'content-length': body.length })
  response.end(body)
})
server.listen(Number(port), '127.0.0.1', () => {
  console.log(`pid ${process.pid} port ${(server.address() as AddressInfo).port}`)
})
