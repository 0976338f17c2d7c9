import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

/** A folder for sockets, gone after the test. Its name is short: a socket's path has about 100 bytes. */
export async function socketFolder (t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 's-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  return folder
}

export interface Door {
  readonly url: string
  readonly path: string
  /** Connections so far. */
  connections: number
  readonly sockets: Set<Socket>
  readonly server: Server
  close (): Promise<void>
}

/** A Unix socket behind which a port is: whatever listens there is reached by both. */
export async function unixDoor (t: TestContext, path: string, port: number): Promise<Door> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    door.connections++
    const inner = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    for (const [one, other] of [[socket, inner], [inner, socket]] as const) {
      door.sockets.add(one)
      one.pipe(other)
      one.on('error', () => {}).on('close', () => {
        door.sockets.delete(one)
        other.destroy()
      })
    }
  })
  const door: Door = {
    url: `unix:${path}`,
    path,
    connections: 0,
    sockets: new Set(),
    server,
    async close () {
      if (!server.listening) return
      const closed = once(server, 'close')
      server.close()
      for (const socket of door.sockets) socket.destroy()
      await closed
    }
  }
  server.listen(path)
  await once(server, 'listening')
  t.after(() => door.close())
  return door
}
