import { isIP, type Socket, type TcpNetConnectOpts } from 'node:net'
import {
  checkServerIdentity, connect, createSecureContext,
  type ConnectionOptions, type PeerCertificate, type SecureContext, type SecureContextOptions, type TLSSocket
} from 'node:tls'
import type { TlsOptions } from '../../../types/options.ts'
import { nameForTls } from '../../model/origin.ts'

/** Bytes that a TLS socket holds for its reader: one record, of which Node reads one at a time. */
const RECORD = 16_384

/** The client's side of TLS to one name. Its keys are read once, and each handshake may resume the session of the last. */
export class TlsClient {
  readonly #name: string
  readonly #protocols: string[]
  readonly #isStrict: boolean
  readonly #keys: SecureContext
  #ticket: Buffer | null = null

  /** @param name what certificates are checked against; sent in SNI unless it is an address */
  constructor (name: string, options: TlsOptions | undefined, protocols: string[]) {
    this.#name = nameForTls(name)
    this.#protocols = protocols
    this.#isStrict = options?.rejectUnauthorized ?? true
    this.#keys = createSecureContext(keysOf(options))
  }

  /** @param to an address, or a connection that stands */
  connect (to: TcpNetConnectOpts | { readonly socket: Socket }): TLSSocket {
    const options = {
      ...to,
      highWaterMark: RECORD,
      secureContext: this.#keys,
      ALPNProtocols: this.#protocols,
      // SNI has no room for addresses (RFC 6066 3); the certificate is checked against them all the same.
      servername: isIP(this.#name) === 0 ? this.#name : '',
      checkServerIdentity: (_host: string, certificate: PeerCertificate) => checkServerIdentity(this.#name, certificate),
      rejectUnauthorized: this.#isStrict,
      ...(this.#ticket !== null && { session: this.#ticket })
    }
    // Of a socket's options, which Node's types of TLS leave out, highWaterMark is one.
    const socket = connect(options as ConnectionOptions)
    socket.on('session', (ticket: Buffer) => { this.#ticket = ticket })
    return socket
  }
}

/** The options as Node takes them: of a text it reads PKCS#12 data as UTF-8, which binary data is not. */
export function keysOf (options: TlsOptions | undefined): SecureContextOptions {
  if (options === undefined) return {}
  const { servername, rejectUnauthorized, pfx, ...keys } = options
  return pfx === undefined ? keys : { ...keys, pfx: typeof pfx === 'string' ? Buffer.from(pfx, 'latin1') : pfx }
}
