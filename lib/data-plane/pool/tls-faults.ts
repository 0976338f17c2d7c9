import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { createSecureContext, DEFAULT_CIPHERS } from 'node:tls'
import type { TlsOptions } from '../../../types/options.ts'
import { keysOf } from './tls-client.ts'

/** The fault in one of the options, in words that hold nothing of a key. */
export interface TlsFault {
  readonly key: keyof TlsOptions | null
  readonly message: string
}

type Material = string | Buffer | readonly (string | Buffer)[]

/**
 * Key material that no handshake could use. Node itself takes much of it without a word, an authority that is none included, and fails with
 * each connection over the rest.
 */
export function findTlsFaults (tls: TlsOptions): TlsFault[] {
  const faults: TlsFault[] = []
  checkTogether(tls, faults)
  if (tls.ca !== undefined) certificatesOf(tls.ca, 'ca', faults)
  const certificates = tls.cert === undefined ? null : certificatesOf(tls.cert, 'cert', faults)
  const keys = tls.key === undefined ? null : keysFrom(tls.key, tls.passphrase, faults)
  if (certificates !== null && keys !== null && !areOfEachOther(certificates, keys)) {
    faults.push({ key: 'key', message: 'is of another certificate than `cert`' })
  }
  if (tls.pfx !== undefined) checkPfx(tls, faults)
  if (tls.ciphers !== undefined) checkCiphers(tls.ciphers, faults)
  // OpenSSL also refuses keys that are too short, and digests that are too weak.
  if (faults.length === 0) {
    const code = refusalOf(() => createSecureContext(keysOf(tls)))
    if (code !== null) faults.push({ key: null, message: `is refused by OpenSSL (${code})` })
  }
  return faults
}

function checkTogether ({ cert, key, passphrase, pfx }: TlsOptions, faults: TlsFault[]): void {
  if (pfx !== undefined && (cert !== undefined || key !== undefined)) {
    faults.push({ key: 'pfx', message: 'holds a certificate and its key; give either `pfx`, or `cert` and `key`' })
  } else {
    if (cert !== undefined && key === undefined) faults.push({ key: 'cert', message: 'needs its `key`' })
    if (key !== undefined && cert === undefined) faults.push({ key: 'key', message: 'needs its `cert`' })
  }
  if (passphrase !== undefined && key === undefined && pfx === undefined) {
    faults.push({ key: 'passphrase', message: 'is of a `key` or a `pfx`, and there is none' })
  }
}

/** The first of each chain; null, and a fault, if anything in it is no certificate. */
function certificatesOf (material: Material, key: 'ca' | 'cert', faults: TlsFault[]): X509Certificate[] | null {
  const first: X509Certificate[] = []
  for (const item of [material].flat()) {
    const blocks = String(item).match(/-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----[^-]*(?:-----END [A-Z0-9 ]*CERTIFICATE-----)?/g) ?? []
    try {
      const chain = blocks.map((block) => new X509Certificate(block))
      if (chain.length === 0) throw new Error('no certificate')
      first.push(chain[0]!)
    } catch {
      // OpenSSL stops at what it cannot read, and Node trusts what came before.
      faults.push({ key, message: blocks.length === 0 ? 'holds no certificate (PEM)' : 'holds a certificate that cannot be read (PEM)' })
      return null
    }
  }
  if (first.length > 0) return first
  faults.push({ key, message: 'holds no certificate (PEM)' })
  return null
}

function keysFrom (material: Material, passphrase: string | undefined, faults: TlsFault[]): KeyObject[] | null {
  const keys: KeyObject[] = []
  for (const item of [material].flat()) {
    const text = String(item)
    try {
      keys.push(createPrivateKey({ key: text, ...(passphrase !== undefined && { passphrase }) }))
    } catch {
      faults.push({ key: 'key', message: encrypted.test(text) ? whyLocked(passphrase) : unreadableKey })
      return null
    }
  }
  if (keys.length > 0) return keys
  faults.push({ key: 'key', message: unreadableKey })
  return null
}

const unreadableKey = 'is no private key that can be read (PEM)'
/** PKCS#8, and what OpenSSL wrote before. */
const encrypted = /-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m

function whyLocked (passphrase: string | undefined): string {
  return passphrase === undefined ? 'is encrypted, and needs its `passphrase`' : 'cannot be decrypted with `passphrase`'
}

/** In whatever order, as Node takes them. */
function areOfEachOther (certificates: readonly X509Certificate[], keys: readonly KeyObject[]): boolean {
  return certificates.length === keys.length && keys.every((key) => certificates.some((certificate) => certificate.checkPrivateKey(key)))
}

function checkPfx ({ pfx, passphrase }: TlsOptions, faults: TlsFault[]): void {
  const { pfx: data } = keysOf({ pfx: pfx! })
  try {
    createSecureContext({ pfx: data as Buffer, ...(passphrase !== undefined && { passphrase }) })
  } catch (error) {
    faults.push({ key: 'pfx', message: whyUnread((error as Error).message, passphrase) })
  }
}

/** In OpenSSL's words and Node's; all others are of data that is none. */
function whyUnread (words: string, passphrase: string | undefined): string {
  if (/mac verify|bad decrypt/i.test(words)) {
    return passphrase === undefined ? 'needs its `passphrase`' : 'cannot be opened with `passphrase`'
  }
  if (/private key/i.test(words)) return 'holds no private key'
  if (/certificate/i.test(words)) return 'holds no certificate'
  if (/unsupported/i.test(words)) return 'is encrypted in a way that OpenSSL 3 does not read; export it anew'
  return 'is no PKCS#12 data that can be read'
}

/** One by one: OpenSSL passes over names that it does not know as long as it knows one. Node's own list has some of those. */
function checkCiphers (ciphers: string, faults: TlsFault[]): void {
  const own = new Set(DEFAULT_CIPHERS.split(':'))
  // Names with such a prefix take away from the others, or order them.
  const names = ciphers.split(':').filter((name) => name !== '' && !own.has(name) && !/^[!+@-]/.test(name))
  const unknown = names.find((name) => refusalOf(() => createSecureContext({ ciphers: name })) !== null)
  if (unknown !== undefined) faults.push({ key: 'ciphers', message: `names '${unknown}', which OpenSSL does not know` })
  else if (refusalOf(() => createSecureContext({ ciphers })) !== null) faults.push({ key: 'ciphers', message: 'leaves no cipher' })
}

function refusalOf (work: () => void): string | null {
  try {
    work()
    return null
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code ?? 'without a code')
  }
}
