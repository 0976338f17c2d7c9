import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import { connect } from '../helpers/client.ts'
import { answer, origin, refusedPort } from '../helpers/origin.ts'
import { start, type Started } from '../helpers/proxy.ts'
import { ConfigError } from '../../lib/index.ts'
import type { CanaryOptions, RouteBehaviour } from '../../types/index.ts'

/** A route `/*` whose responses say which upstream they are from: `main`, `beta` or `gamma`. */
async function split (t: TestContext, behaviour: RouteBehaviour): Promise<Started> {
  const [main, beta, gamma] = [await origin(t, answer(200, 'main')), await origin(t, answer(200, 'beta')), await origin(t, answer(200, 'gamma'))]
  return start(t, { upstreams: { main: main.url, beta: beta.url, gamma: gamma.url }, routes: [{ url: '/*', upstream: 'main', ...behaviour }] })
}

const beta = (rest: Partial<CanaryOptions>): RouteBehaviour => ({ canary: { upstream: 'beta', ...rest } })

type Row = readonly [headers: Record<string, string>, side: string]

async function check (app: Started, rows: readonly Row[]): Promise<void> {
  for (const [headers, side] of rows) assert.equal((await app.get('/x', headers)).body, side, JSON.stringify(headers))
}

test('a header without values decides by true, 1 and always, or false, 0 and never', async (t) => {
  await check(await split(t, beta({ header: 'X-Canary' })), [
    [{}, 'main'],
    [{ 'x-canary': 'true' }, 'beta'],
    [{ 'X-CANARY': ' TRUE ' }, 'beta'],
    [{ 'x-canary': '1' }, 'beta'],
    [{ 'x-canary': 'always' }, 'beta'],
    [{ 'x-canary': 'false' }, 'main'],
    [{ 'x-canary': 'yes' }, 'main'],
    [{ 'x-canary': '' }, 'main'],
    [{ 'x-canary': '%e4\xe9'.repeat(300) }, 'main']
  ])
})

test('a header with values decides by them, and by nothing else', async (t) => {
  await check(await split(t, beta({ header: 'x-group', values: ['V2', ' edge '] })), [
    [{ 'x-group': 'v2' }, 'beta'],
    [{ 'x-group': 'EDGE' }, 'beta'],
    [{ 'x-group': 'true' }, 'main'],
    [{ 'x-group': 'v2x' }, 'main']
  ])
  await check(await split(t, beta({ header: 'x-group', values: /^v[23]$/g })), [
    [{ 'x-group': 'v3' }, 'beta'],
    [{ 'x-group': 'V3' }, 'beta'],
    [{ 'x-group': 'v4' }, 'main'],
    [{ 'x-group': 'v2' }, 'beta']
  ])
})

test('a cookie decides by the same rule', async (t) => {
  await check(await split(t, beta({ cookie: 'canary' })), [
    [{ cookie: 'a=1; canary=true; b=2' }, 'beta'],
    [{ cookie: 'canary=always' }, 'beta'],
    [{ cookie: 'canary=false' }, 'main'],
    [{ cookie: 'xcanary=true; canaryx=true' }, 'main'],
    [{ cookie: '; ;=;canary' }, 'main']
  ])
})

test('the header comes before the cookie, and both before the weight', async (t) => {
  await check(await split(t, beta({ header: 'x-canary', cookie: 'canary', weight: 100 })), [
    [{}, 'beta'],
    [{ 'x-canary': 'never' }, 'main'],
    [{ 'x-canary': 'never', cookie: 'canary=true' }, 'main'],
    [{ 'x-canary': 'true', cookie: 'canary=never' }, 'beta'],
    [{ 'x-canary': 'other', cookie: 'canary=never' }, 'main'],
    [{ 'x-canary': 'other', cookie: 'canary=other' }, 'beta']
  ])
})

test('of several canaries the first that matches wins', async (t) => {
  const app = await split(t, {
    canaries: [
      { upstream: 'beta', header: 'x-ab-test-group', values: ['v1'] },
      { upstream: 'gamma', header: 'x-ab-test-group', values: ['v1', 'v2'] }
    ]
  })

  await check(app, [[{ 'x-ab-test-group': 'v1' }, 'beta'], [{ 'x-ab-test-group': 'v2' }, 'gamma'], [{ 'x-ab-test-group': 'v3' }, 'main'], [{}, 'main']])
})

test('a weight takes its share of the requests', async (t) => {
  // 500 draws, evenly spread but out of order (7 and 500 have no common factor).
  let drawn = 0
  t.mock.method(Math, 'random', () => ((drawn++ * 7) % 500) / 500)
  const app = await split(t, beta({ weight: 30 }))
  const client = await connect(t, app.port)

  let canary = 0
  for (let request = 0; request < 500; request++) {
    client.write('GET /x HTTP/1.1\r\nHost: x\r\n\r\n')
    if ((await client.response()).body.toString() === 'beta') canary++
  }

  assert.ok(canary >= 125 && canary <= 175, `${canary} of 500`)
})

test('weights of 0 and 100 are none and all', async (t) => {
  const rows: Row[] = Array.from({ length: 20 }, () => [{}, 'main'])

  await check(await split(t, beta({ weight: 0 })), rows)
  await check(await split(t, beta({ weight: 100 })), rows.map(() => [{}, 'beta']))
})

const stickies: readonly (readonly [what: string, sticky: NonNullable<CanaryOptions['sticky']>, header: (user: number) => string])[] = [
  ['cookie', { cookie: 'user' }, (user) => `Cookie: a=1; user=${user}`],
  ['header', { header: 'X-User' }, (user) => `X-User: ${user}`],
  ['function', (request) => request.headers['x-id']?.slice(3) as string | undefined, (user) => `X-Id: id-${user}`]
]

for (const [what, sticky, header] of stickies) {
  test(`a ${what} keeps its users on one side, which more weight changes one way only`, async (t) => {
    const app = await split(t, beta({ sticky, weight: 0 }))
    const client = await connect(t, app.port)

    async function sides (): Promise<boolean[]> {
      const found: boolean[] = []
      for (let user = 0; user < 150; user++) {
        client.write(`GET /x HTTP/1.1\r\nHost: x\r\n${header(user)}\r\n\r\n`)
        found.push((await client.response()).body.toString() === 'beta')
      }
      return found
    }

    let before = await sides()
    assert.ok(!before.includes(true))
    for (const weight of [10, 40, 40, 70, 100]) {
      app.app.proxy.setCanary('/*', 'beta', { weight })
      const after = await sides()
      const share = after.filter(Boolean).length / 1.5
      assert.ok(Math.abs(share - weight) <= 12, `${share}% at a weight of ${weight}`)
      assert.deepEqual(after, after.map((side, user) => side || before[user]), `nobody went back at a weight of ${weight}`)
      if (weight === 40 && before.filter(Boolean).length > 30) assert.deepEqual(after, before, 'nobody moves while the weight stays')
      before = after
    }
    assert.ok(!before.includes(false))
  })
}

test('setCanary is refused for what does not exist, and says what was meant', async (t) => {
  const { app } = await split(t, beta({ weight: 5 }))
  const wrong: readonly (readonly [route: string, name: string, weight: number, message: RegExp])[] = [
    ['/**', 'beta', 1, /there is no route '\/\*\*'; did you mean '\/\*'/],
    ['/*', 'bata', 1, /no canary 'bata'; did you mean 'beta'/],
    ['/*', 'beta', 101, /from 0 to 100, not 101/],
    ['/*', 'beta', NaN, /not NaN/]
  ]

  for (const [route, name, weight, message] of wrong) {
    assert.throws(() => { app.proxy.setCanary(route, name, { weight }) }, (error) => error instanceof ConfigError && message.test(error.message))
  }
  assert.equal(app.proxy.snapshot!.routes.get('/*')!.canaries![0]!.weight, 5)
})

test('several canaries each get the share of their weight, and stable what they leave', async (t) => {
  let drawn = 0
  t.mock.method(Math, 'random', () => ((drawn++ * 7) % 500) / 500)
  const sticky = { header: 'x-user' }
  const app = await split(t, { canaries: [{ upstream: 'beta', weight: 50, sticky }, { upstream: 'gamma', weight: 30, sticky }] })
  const client = await connect(t, app.port)

  async function sides (): Promise<string[]> {
    const found: string[] = []
    for (let user = 0; user < 400; user++) {
      client.write(`GET /x HTTP/1.1\r\nHost: x\r\nX-User: ${user}\r\n\r\n`)
      found.push((await client.response()).body.toString())
    }
    return found
  }
  const share = (found: string[], name: string): number => found.filter((side) => side === name).length / 4

  const before = await sides()
  for (const [name, wanted] of [['beta', 50], ['gamma', 30], ['main', 20]] as const) {
    assert.ok(Math.abs(share(before, name) - wanted) <= 6, `${share(before, name)} % on ${name}`)
  }
  app.app.proxy.setCanary('/*', 'gamma', { weight: 50 })
  const after = await sides()
  assert.equal(share(after, 'main'), 0)
  for (const [user, side] of before.entries()) if (side !== 'main') assert.equal(after[user], side)
})

test('weights of more than 100 per cent in all are refused, at start and later', async (t) => {
  await assert.rejects(split(t, { canaries: [{ upstream: 'beta', weight: 50 }, { upstream: 'gamma', weight: 50.01 }] }), (error) => {
    assert.ok(error instanceof ConfigError)
    assert.deepEqual(error.problems, [{ path: 'routes[0].canaries', message: 'have weights of 100.01 per cent in all; there are 100' }])
    return true
  })
  const { app } = await split(t, { canaries: [{ upstream: 'beta', weight: 60 }, { upstream: 'gamma', weight: 30 }] })
  const weights = (): number[] => app.proxy.snapshot!.routes.get('/*')!.canaries!.flatMap(({ weight, threshold }) => [weight, threshold])

  assert.throws(() => { app.proxy.setCanary('/*', 'gamma', { weight: 50 }) }, (error) => {
    return error instanceof ConfigError && /would make 110 per cent with the other canaries of '\/\*'/.test(error.message)
  })
  assert.deepEqual(weights(), [60, 60, 30, 75])
  app.proxy.setCanary('/*', 'beta', { weight: 50 })
  app.proxy.setCanary('/*', 'gamma', { weight: 50 })
  assert.deepEqual(weights(), [50, 50, 50, 100])
})

const wrongKeys = [
  ['a promise', async () => 'ann'],
  ['a promise that rejects', () => Promise.reject(new Error('rejected'))],
  ['a plain object', () => ({})]
] as [string, NonNullable<CanaryOptions['sticky']>][]

for (const [what, sticky] of wrongKeys) {
  test(`a sticky key that is ${what} is answered with 500, and the log names the option`, async (t) => {
    const app = await split(t, beta({ sticky, weight: 50 }))

    const { status, body } = await app.get('/x')
    assert.deepEqual([status, (JSON.parse(body) as { code: string }).code], [500, 'FST_SLUICE_INTERNAL_ERROR'])
    assert.match(JSON.stringify((await app.line())['err']), /`canary\.sticky` must return a key, not/)
    const explained = app.app.proxy.explain({ url: '/x' })
    assert.deepEqual([explained.refusal?.error, explained.canaries[0]!.stickyKey, explained.problems.length], ['internal_error', null, 1])
  })
}

test('says which variant answered, in the log and where asked in a header', async (t) => {
  const app = await split(t, { canaries: [{ upstream: 'beta', name: 'new', header: 'x-canary' }], expose: true })

  assert.equal((await app.get('/x', { 'x-canary': '1' })).headers['x-variant'], 'new')
  const line = await app.line()
  assert.deepEqual([line['variant'], line['upstream']], ['new', 'beta'])
  assert.equal((await app.get('/x')).headers['x-variant'], 'stable')
  assert.equal((await app.line())['variant'], 'stable')
})

test('a canary without an available endpoint falls back to stable, or fails where it says so', async (t) => {
  const app = await split(t, { canaries: [{ upstream: 'beta', header: 'x-beta' }, { upstream: 'gamma', header: 'x-gamma', onEmpty: 'fail' }] })
  const { proxy } = app.app
  for (const name of ['beta', 'gamma']) {
    const upstream = proxy.upstream(name)!
    upstream.state = { ...upstream.state, available: [] }
  }

  assert.equal((await app.get('/x', { 'x-beta': '1' })).body, 'main')
  const failed = await app.get('/x', { 'x-gamma': '1' })
  assert.equal(failed.status, 503)
  assert.equal((JSON.parse(failed.body) as { code: string }).code, 'FST_SLUICE_NO_HEALTHY_UPSTREAM')
  assert.equal(proxy.snapshot!.routes.get('/*')!.canaries![0]!.fallbacks, 1)
})

test('a retry stays with the canary, unless it says fallback', async (t) => {
  const main = await origin(t, answer(200, 'main'))
  const gone = `http://127.0.0.1:${await refusedPort()}`
  const app = await start(t, {
    upstreams: { main: main.url, gone },
    routes: [
      { url: '/stays', upstream: 'main', canary: { upstream: 'gone', weight: 100 } },
      { url: '/falls', upstream: 'main', canary: { upstream: 'gone', weight: 100, fallback: true } }
    ]
  })

  assert.equal((await app.get('/stays')).status, 502)
  assert.equal(main.hits, 0)
  assert.equal((await app.get('/falls')).body, 'main')
})
