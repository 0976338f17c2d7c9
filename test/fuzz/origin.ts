import { once } from 'node:events'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { Fault, Judge, valueOf, type Message } from './judge.ts'

/** What goes back for a request: pieces, and what becomes of the connection then. */
export interface Reply {
  readonly pieces: readonly Buffer[]
  readonly then: 'keep' | 'end' | 'reset'
}

/** A mark that only the answer to this request carries; `x` and `y` keep a mutation from making another's out of it. */
export function markOf (seen: string): string {
  return `x${seen}y${(Number(seen) * 7919) % 9973}z`
}

/** The upstream: takes nothing that could be read in two ways, and notes which request it saw how often. */
export class FuzzOrigin {
  readonly faults: string[] = []
  /** How often each of the proxy's requests came. */
  readonly counts: Map<string, number> = new Map()
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #reply: (message: Message) => Reply

  private constructor (server: Server, reply: (message: Message) => Reply) {
    this.#server = server
    this.#reply = reply
    server.on('connection', (socket: Socket) => { this.#take(socket) })
  }

  static async start (reply: (message: Message) => Reply): Promise<FuzzOrigin> {
    const server = createServer({ noDelay: true })
    const origin = new FuzzOrigin(server, reply)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return origin
  }

  get url (): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async close (): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }

  #take (socket: Socket): void {
    this.#sockets.add(socket)
    const judge = new Judge('requests')
    // What comes behind a handshake that was answered is the client's own, whatever it looks like.
    let isTunnel = false
    socket.on('error', () => {})
    socket.on('close', () => { this.#sockets.delete(socket) })
    socket.on('data', (chunk: Buffer) => {
      if (socket.writableEnded || isTunnel) return
      try {
        for (const message of judge.read(chunk)) {
          isTunnel ||= valueOf(message, 'upgrade') !== undefined
          this.#answer(socket, message)
        }
      } catch (error) {
        this.faults.push(`upstream: ${error instanceof Fault ? error.message : String(error)}`)
        socket.destroy()
      }
    })
  }

  #answer (socket: Socket, message: Message): void {
    const seen = valueOf(message, 'x-seen')
    if (seen === undefined) {
      this.faults.push(`upstream: a request that the proxy did not number: ${JSON.stringify(message)}`)
    } else {
      this.counts.set(seen, (this.counts.get(seen) ?? 0) + 1)
    }
    const { pieces, then } = this.#reply(message)
    let index = 0
    const write = (): void => {
      if (socket.destroyed) return
      if (index < pieces.length) {
        socket.write(pieces[index++]!)
        // Each in a read of its own.
        if (pieces.length > 1) setImmediate(write)
        else write()
        return
      }
      if (then === 'end') socket.end()
      else if (then === 'reset') setTimeout(() => { socket.resetAndDestroy() }, 2)
    }
    write()
  }
}
