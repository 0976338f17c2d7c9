import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { createServer as createTlsServer } from 'node:tls'
import { Reader, Wire } from './wire.ts'

/**
 * A proxy's answer to one request: by default it makes the tunnel. `open` makes it; with `together` its answer waits for the first bytes of
 * the endpoint, and goes out in one piece with them.
 */
export type OnConnect = (head: string, socket: Socket, open: (together?: boolean) => void) => void

export interface ConnectProxy {
  readonly url: string
  readonly port: number
  /** Requests, in the order in which they came. */
  readonly heads: string[]
  readonly server: Server
}

/** A forward proxy that knows CONNECT alone. Whatever name it is asked for is this machine. */
export async function connectProxy (
  t: TestContext,
  onConnect: OnConnect = (_head, _socket, open) => { open() },
  tls?: { cert: string, key: string, ca?: string, requestCert?: boolean }
): Promise<ConnectProxy> {
  const sockets = new Set<Socket>()
  const heads: string[] = []
  const keep = (socket: Socket): void => {
    sockets.add(socket)
    socket.on('error', () => {}).on('close', () => sockets.delete(socket))
  }
  const accept = async (socket: Socket): Promise<void> => {
    keep(socket)
    const wire = new Wire(socket)
    const reader = new Reader(wire)
    reader.timeout = 0
    const head = await reader.requestHead()
    if (head === null) return
    heads.push(head)
    onConnect(head, socket, (together = false) => {
      const inner = connect(Number(/^CONNECT \S*:(\d+) /.exec(head)![1]), '127.0.0.1')
      keep(inner)
      socket.removeAllListeners('data')
      // Bytes behind the request are the tunnel's.
      const rest = wire.received.subarray(head.length)
      if (rest.length > 0) inner.write(rest)
      let answer = 'HTTP/1.1 200 Connection established\r\n\r\n'
      if (!together) {
        socket.write(answer)
        answer = ''
      }
      inner.on('data', (chunk: Buffer) => {
        socket.write(answer === '' ? chunk : Buffer.concat([Buffer.from(answer), chunk]))
        answer = ''
      })
      socket.pipe(inner)
      inner.on('end', () => { socket.end() })
      inner.on('close', (hasFailed) => { if (hasFailed) socket.destroy() })
      socket.on('close', () => { inner.destroy() })
    })
  }
  const server = tls === undefined ? createServer(accept) : createTlsServer({ ...tls, rejectUnauthorized: false }, accept)
  server.on('tlsClientError', () => {})
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  const { port } = server.address() as AddressInfo
  return { url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`, port, heads, server }
}
