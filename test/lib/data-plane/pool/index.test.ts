import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findPoolFaults, type PoolConfig, poolKey } from '../../../../lib/data-plane/pool/index.ts'
import type { TlsOptions } from '../../../../types/options.ts'

const base: PoolConfig = { connections: 8, warm: 0, keepAliveTimeout: 4000, connectTimeout: 5000, protocol: 'http1' }

test('endpoints share a pool where everything about it is the same', () => {
  const tls: TlsOptions = { ca: 'a', cert: Buffer.from('b'), key: 'c', passphrase: 'd', servername: 'e' }
  const config = { ...base, proxy: 'http://p', maxHeaderSize: 1, tls }
  assert.equal(poolKey('http://a', config), poolKey('http://a', { ...config, tls: { ...tls, cert: Buffer.from('b') } }))
})

const others: readonly (readonly [what: string, config: Partial<PoolConfig>])[] = [
  ['maxHeaderSize', { maxHeaderSize: 1 }], ['proxy', { proxy: 'http://a:1' }], ['its user', { proxy: 'http://u:p@a:1' }], ['its password', { proxy: 'http://u:q@a:1' }],
  ['no TLS options', { tls: {} }],
  ['ca', { tls: { ca: 'x' } }], ['a list of ca', { tls: { ca: ['x', 'y'] } }], ['its parts', { tls: { ca: ['xy'] } }], ['cert', { tls: { cert: 'x' } }], ['key', { tls: { key: 'x' } }], ['pfx', { tls: { pfx: 'x' } }],
  ['passphrase', { tls: { passphrase: 'x' } }], ['minVersion', { tls: { minVersion: 'TLSv1.3' } }], ['ciphers', { tls: { ciphers: 'x' } }], ['servername', { tls: { servername: 'x' } }],
  ['rejectUnauthorized', { tls: { rejectUnauthorized: false } }]
]

test('and not where any of it is different', () => {
  const keys = [poolKey('http://a', base), poolKey('unix:/a', base), ...others.map(([, config]) => poolKey('http://a', { ...base, ...config }))]
  assert.equal(new Set(keys).size, keys.length)
})

test('the key of a pool holds nothing that is secret', () => {
  const key = poolKey('https://a', { ...base, proxy: 'http://user:hunter2@p', tls: { passphrase: 'hunter2', key: 'hunter2', pfx: 'hunter2' } })
  assert.equal(/hunter2|user/.test(key), false)
})

const faults: readonly (readonly [config: Partial<PoolConfig>, origins: string[], expected: string[]])[] = [
  [{}, ['http://a', 'unix:/a'], []],
  [{ warm: 9 }, ['http://a'], ['warm']],
  [{ proxy: 'http://user:hunter2@p:3128' }, ['http://a', 'https://b'], []],
  [{ proxy: 'http://p:3128' }, ['http://a', 'unix:/a'], ['proxy']],
  [{ tls: {} }, ['unix:/a', 'unix:/b'], ['tls']],
  [{ tls: {} }, ['unix:/a', 'https://b'], []],
  [{ tls: { ca: 'x', cert: 'y' } }, ['unix:/a'], ['tls', 'tls.cert', 'tls.ca', 'tls.cert']]
]

for (const [config, origins, expected] of faults) {
  test(`finds ${expected.length === 0 ? 'nothing' : expected.join(', ')} to be wrong with ${JSON.stringify(config)} for ${origins.join(', ')}`, () => {
    assert.deepEqual(findPoolFaults({ ...base, ...config }, origins).map(({ path }) => path.join('.')), expected)
  })
}
