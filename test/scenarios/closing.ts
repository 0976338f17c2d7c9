import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'

/*
 * An upstream that closes connections for being idle, at random moments: `closing.js PORT`. It counts how often each POST reached it, by its path;
 * GET /counts tells.
 */
// ms. About as long as the clients of the scenario pause, so that many a request meets a close on its way.
const longest = 12

const posts = new Map<string, number>()
let closed = 0

function closeSoon (socket: Socket): NodeJS.Timeout {
  return setTimeout(() => {
    closed++
    // Either way of closing: at once, where a request that is on its way meets a reset; or in one direction, where it is still read, but never answered.
    if (Math.random() < 0.5) socket.destroy()
    else socket.end()
  }, Math.random() * longest)
}

const timers = new WeakMap<Socket, NodeJS.Timeout>()

function count ({ method, url }: IncomingMessage): void {
  if (method === 'POST') posts.set(url!, (posts.get(url!) ?? 0) + 1)
}

const server = createServer((request, response) => {
  const { socket } = request
  if (request.url === '/counts') {
    response.writeHead(200, { connection: 'close' }).end(JSON.stringify({ closed, posts: Object.fromEntries(posts) }))
    return
  }
  clearTimeout(timers.get(socket))
  count(request)
  request.resume().on('end', () => {
    response.writeHead(200, { 'content-length': 2 }).end('ok', () => {
      if (!socket.destroyed) timers.set(socket, closeSoon(socket))
    })
  })
})
server.listen(Number(process.argv[2]), '127.0.0.1', () => {
  console.log(`pid ${process.pid} port ${(server.address() as AddressInfo).port}`)
})
