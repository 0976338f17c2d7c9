import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { loadOptions } from '../../lib/cli/options-file.ts'
import { ConfigError } from '../../lib/index.ts'

async function folder (t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'sluice-'))
  t.after(() => rm(path, { recursive: true }))
  return path
}

test('a file without usable options is named together with what is wrong with it', async (t) => {
  const path = await folder(t)
  const unusable: [name: string, text: string | null, message: RegExp][] = [
    ['missing.json', null, /^cannot be read: ENOENT$/],
    ['missing.mjs', null, /^cannot be read: ENOENT$/],
    ['broken.json', '{', /^is not JSON: ./],
    ['list.JSON', '[]', /^must hold an object of options$/],
    ['broken.mjs', 'export default {', /^cannot be loaded: SyntaxError: ./],
    ['throws.mjs', 'throw new Error("on purpose")', /^cannot be loaded: Error: on purpose$/],
    ['asks.mjs', 'import "./elsewhere.mjs"', /^cannot be loaded: Error .*elsewhere\.mjs/],
    ['nothing.mjs', 'export const upstream = 1', /^has no default export$/],
    ['null.mjs', 'export default null', /^must hold an object of options$/],
    ['function.mjs', 'export default () => ({})', /^must hold an object of options$/]
  ]
  for (const [name, text, message] of unusable) {
    const file = join(path, name)
    if (text !== null) await writeFile(file, text)
    await assert.rejects(loadOptions(file), (error) => {
      assert.ok(error instanceof ConfigError, name)
      assert.deepEqual(error.problems.map((problem) => problem.path), [file])
      assert.match(error.problems[0]!.message, message, name)
      return true
    })
  }
})

test('a file with options gives them as they stand there', async (t) => {
  const path = await folder(t)
  const usable: [name: string, text: string][] = [
    ['proxy.json', '{ "upstream": "http://a", "unknown": 1 }'],
    ['proxy.mjs', "export default { upstream: 'http://a', unknown: 1 }"],
    ['proxy.cjs', "module.exports = { upstream: 'http://a', unknown: 1 }"]
  ]
  for (const [name, text] of usable) {
    await writeFile(join(path, name), text)
    assert.deepEqual(await loadOptions(join(path, name)), { upstream: 'http://a', unknown: 1 }, name)
  }
})
