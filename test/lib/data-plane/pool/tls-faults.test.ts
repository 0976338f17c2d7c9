import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DEFAULT_CIPHERS } from 'node:tls'
import { findTlsFaults } from '../../../../lib/data-plane/pool/tls-faults.ts'
import type { TlsOptions } from '../../../../types/options.ts'
import { ca, client, clientPfx, encryptedKey, keylessPfx, legacyPfx, otherCa, passphrase, server, traditionalKey } from '../../../helpers/tls.ts'

const good: readonly (readonly [what: string, tls: TlsOptions])[] = [
  ['nothing', {}],
  ['an authority', { ca }],
  ['several authorities, in one text and in a list', { ca: [`${ca}\n# another\n${otherCa}`, Buffer.from(otherCa)] }],
  ['lines that end in CRLF', { ca: ca.replaceAll('\n', '\r\n') }],
  ['a certificate and its key', client],
  ['a certificate with its chain', { cert: `${client.cert}${ca}`, key: client.key }],
  ['buffers', { cert: Buffer.from(client.cert), key: Buffer.from(client.key) }],
  ['an encrypted key with its passphrase', { cert: client.cert, key: encryptedKey, passphrase }],
  ['a key that is encrypted as OpenSSL once did', { cert: client.cert, key: traditionalKey, passphrase }],
  ['a passphrase that a key does not need', { ...client, passphrase }],
  ['PKCS#12 data with its passphrase', { pfx: clientPfx, passphrase }],
  ['PKCS#12 data as a binary string', { pfx: clientPfx.toString('latin1'), passphrase }],
  ['a version', { minVersion: 'TLSv1.3' }],
  ['ciphers of either version', { ciphers: 'TLS_AES_256_GCM_SHA384:ECDHE-RSA-AES128-GCM-SHA256:HIGH:!aNULL:@SECLEVEL=1' }],
  ["Node's own ciphers", { ciphers: DEFAULT_CIPHERS }]
]

for (const [what, tls] of good) {
  test(`has nothing to say of ${what}`, () => { assert.deepEqual(findTlsFaults(tls), []) })
}

const noCertificate = 'holds no certificate (PEM)'
const unreadableKey = 'is no private key that can be read (PEM)'
const brokenCa = ca.replace(/\n(?=-----END)/, '').replace(/[A-Za-z0-9]{8}(?=[^-]*-----END)/, 'AAAAAAAA')

const bad: readonly (readonly [what: string, tls: TlsOptions, faults: readonly (readonly [key: string | null, message: string])[]])[] = [
  ['an authority that is none', { ca: 'not a certificate' }, [['ca', noCertificate]]],
  ['an empty authority', { ca: '' }, [['ca', noCertificate]]],
  ['a list of none', { ca: [] }, [['ca', noCertificate]]],
  ['one authority of several that is none', { ca: [ca, Buffer.from('x')] }, [['ca', noCertificate]]],
  ['an authority that was cut off', { ca: ca.slice(0, 200) }, [['ca', 'holds a certificate that cannot be read (PEM)']]],
  ['an authority that is not read behind one that is', { ca: `${ca}${brokenCa}` }, [['ca', 'holds a certificate that cannot be read (PEM)']]],
  ['an authority with its line ends written out', { ca: ca.replaceAll('\n', '\\n') }, [['ca', 'holds a certificate that cannot be read (PEM)']]],
  ['a key in the place of an authority', { ca: client.key }, [['ca', noCertificate]]],
  ['a certificate without its key', { cert: client.cert }, [['cert', 'needs its `key`']]],
  ['a key without its certificate', { key: client.key }, [['key', 'needs its `cert`']]],
  ['a certificate that is none', { cert: 'x', key: client.key }, [['cert', noCertificate]]],
  ['a key that is none', { cert: client.cert, key: 'x' }, [['key', unreadableKey]]],
  ['an empty key', { cert: client.cert, key: '' }, [['key', unreadableKey]]],
  ['certificate and key in each other\'s place', { cert: client.key, key: client.cert }, [['cert', noCertificate], ['key', unreadableKey]]],
  ['a key of another certificate', { cert: client.cert, key: server.key }, [['key', 'is of another certificate than `cert`']]],
  ['an encrypted key without its passphrase', { cert: client.cert, key: encryptedKey }, [['key', 'is encrypted, and needs its `passphrase`']]],
  ['the same as OpenSSL once did it', { cert: client.cert, key: traditionalKey }, [['key', 'is encrypted, and needs its `passphrase`']]],
  ['an encrypted key with another passphrase', { cert: client.cert, key: encryptedKey, passphrase: 'hunter2' }, [['key', 'cannot be decrypted with `passphrase`']]],
  ['the same as OpenSSL once did it, with another', { cert: client.cert, key: traditionalKey, passphrase: 'hunter2' }, [['key', 'cannot be decrypted with `passphrase`']]],
  ['an encrypted key with an empty passphrase', { cert: client.cert, key: encryptedKey, passphrase: '' }, [['key', 'cannot be decrypted with `passphrase`']]],
  ['a passphrase of nothing', { passphrase: 'hunter2' }, [['passphrase', 'is of a `key` or a `pfx`, and there is none']]],
  ['PKCS#12 data without its passphrase', { pfx: clientPfx }, [['pfx', 'needs its `passphrase`']]],
  ['PKCS#12 data with another passphrase', { pfx: clientPfx, passphrase: 'hunter2' }, [['pfx', 'cannot be opened with `passphrase`']]],
  ['PKCS#12 data that was cut off', { pfx: clientPfx.subarray(0, 300), passphrase }, [['pfx', 'is no PKCS#12 data that can be read']]],
  ['PKCS#12 data that is none', { pfx: Buffer.from('x'), passphrase }, [['pfx', 'is no PKCS#12 data that can be read']]],
  ['PEM in the place of PKCS#12', { pfx: client.cert, passphrase }, [['pfx', 'is no PKCS#12 data that can be read']]],
  ['empty PKCS#12 data', { pfx: '', passphrase }, [['pfx', 'is no PKCS#12 data that can be read']]],
  ['PKCS#12 data without a key', { pfx: keylessPfx, passphrase }, [['pfx', 'holds no private key']]],
  ['PKCS#12 data of old', { pfx: legacyPfx, passphrase }, [['pfx', 'is encrypted in a way that OpenSSL 3 does not read; export it anew']]],
  ['PKCS#12 data beside a certificate', { pfx: clientPfx, passphrase, ...client }, [['pfx', 'holds a certificate and its key; give either `pfx`, or `cert` and `key`']]],
  ['a cipher that there is not', { ciphers: 'NOPE' }, [['ciphers', "names 'NOPE', which OpenSSL does not know"]]],
  ['one beside others', { ciphers: 'ECDHE-RSA-AES128-GCM-SHA256:NOPE' }, [['ciphers', "names 'NOPE', which OpenSSL does not know"]]],
  ['one of TLS 1.3', { ciphers: 'TLS_AES_128_GCM_SHA256:TLS_NOPE' }, [['ciphers', "names 'TLS_NOPE', which OpenSSL does not know"]]],
  ['ciphers of which none is left', { ciphers: '!aNULL' }, [['ciphers', 'leaves no cipher']]],
  ['several faults', { ca: 'x', cert: client.cert, ciphers: 'NOPE' }, [['cert', 'needs its `key`'], ['ca', noCertificate], ['ciphers', "names 'NOPE', which OpenSSL does not know"]]]
]

for (const [what, tls, expected] of bad) {
  test(`refuses ${what}, and says nothing of what is in it`, () => {
    const faults = findTlsFaults(tls)
    assert.deepEqual(faults.map(({ key, message }) => [key, message]), expected)
    assert.doesNotMatch(JSON.stringify(faults), /hunter2|BEGIN|MII/)
  })
}
