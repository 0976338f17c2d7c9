import { readFileSync } from 'node:fs'

export interface Identity { cert: string, key: string }

// From dist/test/helpers, where this runs, to the fixtures, which tsc does not copy.
const folder = new URL('../../../test/fixtures/tls/', import.meta.url)

function pem (name: string): string {
  return readFileSync(new URL(name, folder), 'latin1')
}

function binary (name: string): Buffer {
  return readFileSync(new URL(name, folder))
}

function identity (name: string): Identity {
  return { cert: pem(`${name}.pem`), key: pem(`${name}.key`) }
}

/** Signed everything below but `otherCa`. */
export const ca: string = pem('ca.pem')
/** Signed nothing: who trusts only this one trusts none of ours. */
export const otherCa: string = pem('other-ca.pem')
/** For localhost and 127.0.0.1. */
export const server: Identity = identity('server')
/** As `server`, but over since 2021. */
export const expired: Identity = identity('expired')
/** For other.test, which is not where it is used. */
export const wrongName: Identity = identity('wrong-name')
/** For a client that has to show who it is. */
export const client: Identity = identity('client')
/** The passphrase of the keys below. */
export const passphrase = 'secret'
/** The client's key, encrypted as PKCS#8, and as OpenSSL once did it. */
export const encryptedKey: string = pem('client-encrypted.key')
export const traditionalKey: string = pem('client-traditional.key')
/** The client's certificate and key in one (PKCS#12). */
export const clientPfx: Buffer = binary('client.p12')
/** The same as OpenSSL 3 does not read it, and without the key. */
export const legacyPfx: Buffer = binary('client-legacy.p12')
export const keylessPfx: Buffer = binary('client-keyless.p12')
