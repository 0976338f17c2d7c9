import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Origin } from '../../model/origin.ts'
import type { Remote } from './connection.ts'

/** To be asked of a socket while it is there: one that is gone knows no more. Through a forward proxy the address is the proxy's. */
export function remoteOf (socket: Socket, { isSecure, socketPath }: Origin, isH2: boolean): Remote {
  return {
    address: socketPath ?? socket.remoteAddress,
    port: socket.remotePort,
    tls: isSecure ? (socket as TLSSocket).getProtocol() : null,
    isH2
  }
}
