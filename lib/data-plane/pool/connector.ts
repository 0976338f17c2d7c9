import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { buildConnector } from 'undici'
import type { ConnectionEnd, ConnectionObserver } from '../../../types/policy.ts'
import { toProxyError } from '../../errors.ts'
import type { Opening, Transport } from './transport.ts'

/**
 * Makes undici's connections. It has a say of its own about where to, the name in SNI included, which is the same for all of a pool.
 * @param connecting connections that are being made
 * @param observers who is told of each connection; more may come
 */
export function createConnector (
  transport: Transport,
  connecting: Set<Opening>,
  observers: readonly ConnectionObserver[]
): buildConnector.connector {
  return function connect (_options, callback) {
    const startedAt = performance.now()
    const opening = transport.open((error, socket) => {
      connecting.delete(opening)
      if (error !== null) {
        tellRefusal(observers, error)
        callback(error, null)
        return
      }
      tellConnection(observers, socket!, performance.now() - startedAt, transport.isSecure)
      callback(null, socket!)
    })
    connecting.add(opening)
  }
}

export function tellRefusal (observers: readonly ConnectionObserver[], cause: Error): void {
  const { error } = toProxyError(cause, 'connect')
  for (const observer of observers) observer.onRefused(error)
}

function tellConnection (observers: readonly ConnectionObserver[], socket: Socket, milliseconds: number, isSecure: boolean): void {
  // Not what a proxy's own TLS did.
  const hasResumed = isSecure && (socket as TLSSocket).isSessionReused()
  for (const observer of observers) observer.onConnected(milliseconds, hasResumed)
  socket.once('close', () => {
    const by = endOf(socket)
    for (const observer of observers) observer.onDisconnected(by)
  })
}

const byMessage: Record<string, ConnectionEnd | undefined> = {
  'socket idle timeout': 'idle',
  'other side closed': 'upstream',
  // The upstream's answer said that it closes.
  reset: 'upstream',
  // CountingClient.cut
  'given up': 'proxy'
}

/** By the error that undici destroys a socket with (test/contract/undici-ends.test.ts); without one, it was closed in peace, by us. */
function endOf (socket: Socket): ConnectionEnd {
  const { errored } = socket
  if (errored === null) return socket.readableEnded ? 'upstream' : 'proxy'
  const { code } = errored as NodeJS.ErrnoException
  if (code === 'UND_ERR_INFO') return byMessage[errored.message] ?? 'proxy'
  if (code === 'UND_ERR_SOCKET') return byMessage[errored.message] ?? 'error'
  return code === 'UND_ERR_DESTROYED' || code === 'UND_ERR_CLOSED' || code === 'UND_ERR_ABORTED' ? 'proxy' : 'error'
}
