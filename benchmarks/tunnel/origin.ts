import { createHash } from 'node:crypto'
import { createServer } from 'node:net'
import { port } from '../contract.ts'
import { frame } from './messages.ts'

/** Echoes messages of the size that the path names, without looking into them. */
createServer({ noDelay: true }, (socket) => {
  let head = ''
  socket.on('error', () => {})
  socket.on('data', function shake (chunk: Buffer) {
    head += chunk.toString('latin1')
    if (!head.endsWith('\r\n\r\n')) return
    socket.off('data', shake)
    const size = Number(/^GET \/(\d+)/.exec(head)![1])
    const key = /sec-websocket-key: (.*)\r\n/i.exec(head)![1]!
    const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`)
    const taken = frame(size, true).length
    const given = frame(size, false)
    // Several in one call, as they came.
    const batches = [given]
    for (let count = 2; count <= 64; count++) batches.push(Buffer.concat([batches[count - 2]!, given]))
    let pending = 0
    socket.on('data', (data: Buffer) => {
      pending += data.length
      for (let count = Math.floor(pending / taken); count > 0; count = Math.floor(pending / taken)) {
        const batch = Math.min(count, size > 4096 ? 1 : 64)
        pending -= batch * taken
        socket.write(batches[batch - 1]!)
      }
    })
  })
}).listen(port, '127.0.0.1', 4096)
