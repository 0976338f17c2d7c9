import { AsyncResource } from 'node:async_hooks'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/*
 * What Node keeps on a socket of its HTTP server, and does not tell: held by test/contract/node-upgrade.test.ts.
 */

interface HttpSocket extends Socket { _httpMessage?: ServerResponse | null }

/** The response that is being written to a socket. */
export function responseOf (socket: Socket): ServerResponse | null {
  return (socket as HttpSocket)._httpMessage ?? null
}

export function hasSocket (response: ServerResponse): boolean {
  return response.socket !== null
}

/**
 * Cuts the connection of a client that says FIN before anything of the answer is out. Nobody reads a socket that its parser has left, so
 * nobody would hear of it. Nothing is taken from the socket here: what a hasty client has sent stays for the tunnel, and a FIN
 * behind it is the tunnel's to pass on.
 */
export function cutAtEnd (socket: Socket, response: ServerResponse): void {
  function onReadable (): void {
    // 'readable' with nothing to read is the end.
    if (socket.readableLength === 0 && !response.headersSent) socket.destroy()
  }
  socket.on('readable', onReadable)
  // Before the tunnel begins: beside a listener for 'readable', one for 'data' gets nothing.
  response.prependOnceListener('finish', () => { socket.removeListener('readable', onReadable) })
}

/** Keeps a socket that Node has left from ending the process. Once: a client may ask for as many upgrades as it likes on one connection. */
export function quiet (socket: Socket): void {
  if (!socket.listeners('error').includes(ignore)) socket.on('error', ignore)
}

function ignore (): void {}

/**
 * Has Node read requests from a socket that it has left. Its own listener for connections does that. The others know this connection,
 * and would count it, and listen to its end, a second time. Where Node's is not to be found all are told, as node:http allows ("can also be
 * explicitly emitted by users to inject connections"); node:https has another event for those behind TLS.
 */
export function readAgain (server: Server, socket: Socket): void {
  const event = 'encrypted' in socket ? 'secureConnection' : 'connection'
  const listener = server.listeners(event).find(({ name }) => name === 'connectionListener')
  if (listener === undefined) server.emit(event, socket)
  else listener.call(server, socket)
  // Node listens itself again.
  socket.off('error', ignore)
}

const events = ['error', 'close', 'data', 'end', 'readable', 'timeout'] as const
/** Events to which no response listens that is being written meanwhile. */
const eventsOfReaders = ['data', 'end', 'readable'] as const

/**
 * Signs of another listener that takes an upgrade in hand: a mark on the request, a response, a listener, an answer.
 * @param isBehind whether an earlier response was under way then, whose end changes the rest
 */
export function traces (request: IncomingMessage, socket: Socket, isBehind: boolean): string {
  const counts = (isBehind ? eventsOfReaders : events).map((event) => socket.listenerCount(event))
  const answer = isBehind ? [] : [responseOf(socket) === null, socket.bytesWritten]
  return [Reflect.ownKeys(request).length, ...answer, ...counts].join()
}

/**
 * Waits for the answers to requests that came before on the same connection (CVE-2026-130647: a response cannot be put on a socket
 * that has one). Node has left that socket with the upgrade, so its 'drain' has to be passed on. What follows on the connection is not in
 * the async scope of those requests, whose users need not be the same.
 */
export function whenFree (socket: Socket, act: () => void): void {
  const response = responseOf(socket)
  if (response === null) {
    act()
    return
  }
  const resource = new AsyncResource('SLUICE_UPGRADE')
  function onDrain (): void {
    response!.emit('drain')
  }
  socket.on('drain', onDrain)
  response.once('close', () => {
    socket.removeListener('drain', onDrain)
    if (!socket.destroyed && socket.writable) resource.runInAsyncScope(whenFree, null, socket, act)
  })
}
