import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import test from 'node:test'
import { fileURLToPath } from 'node:url'

/* docs/http.md says which test holds which rule of HTTP: each is there, and no rule is open. */

const root = fileURLToPath(new URL('../../', import.meta.url))
const page = readFileSync(`${root}docs/http.md`, 'utf8')

/** Rows of tables that begin with an id. */
const rows = page.split('\n').filter((line) => /^\| [A-Z\d]+(-\d+)?\d*a? \|/.test(line) && !line.startsWith('| id'))
const named = (text: string): { file: string, name: string }[] => [...text.matchAll(/`((?:behaviour|contract|lib|regression)\/[\w/-]+)` “([^”]+)”/g)].map(([, file, name]) => ({ file: file!, name: name! }))

const series = (letter: string, count: number): string[] => Array.from({ length: count }, (_, index) => `${letter}${index + 1}`)
const ids = [
  ...series('C', 12), 'C12a', ...series('C', 19).slice(12), ...series('F', 25), ...series('H', 6), ...series('E', 3), ...series('I', 2), 'HC', ...series('W', 6), ...series('2-', 22),
  ...series('S', 5), ...series('X', 3), 'P1', 'D1', 'D2', 'V1', 'V2', ...series('N', 3)
]

test('every rule has its row, and none is open', () => {
  assert.deepEqual(rows.map((row) => row.split('|')[1]!.trim()), ids)
  for (const row of rows) {
    const cells = row.split('|').map((cell) => cell.trim())
    assert.equal(cells.length, 6, row)
    assert.ok(cells[3]!.length > 0, row)
    assert.ok(named(cells[4]!).length > 0, `no test: ${row}`)
    // Nothing in the last cell but names of tests.
    assert.equal(cells[4]!.replace(/`[^`]+` “[^”]+”/g, '').replace(/[;\s]/g, ''), '', row)
  }
})

test('every test that docs/http.md names exists', () => {
  const missing = named(page).filter(({ file, name }) => {
    const path = `${root}test/${file}.test.ts`
    return !existsSync(path) || !readFileSync(path, 'utf8').includes(name)
  })
  assert.deepEqual(missing, [])
})

test('every advisory of the list has a test that names it', () => {
  // By the numbers that are unique to each.
  const advisories = [
    'CVE-2021-21321', 'CVE-2021-21322', 'fast-proxy#42', 'CVE-2023-51701', 'GHSA-2q7r-29rg-6m5h', 'CVE-2026-33805', 'CVE-2026-16158', 'CVE-2026-107318', 'GHSA-vp2r-3vgv-32g9',
    'CVE-2026-16117', 'CVE-2026-15631', 'CVE-2026-85124', 'CVE-2026-120213', 'CVE-2026-130647', 'CVE-2026-129500', 'CVE-2026-129502', 'CVE-2026-127060', 'CVE-2026-133111',
    'CVE-2022-39386', 'CVE-2026-22031', 'CVE-2026-15074', 'CVE-2026-3635', 'CVE-2026-92395', 'CVE-2026-25224', 'CVE-2025-32442', 'CVE-2026-1525', 'CVE-2026-1527', 'CVE-2026-6733',
    'CVE-2026-6734', 'GHSA-8xcm-r25x-g524', 'CVE-2026-2581', 'CVE-2026-22036', 'CVE-2026-1526', 'GHSA-ggv3-7p47-pfv8', 'CVE-2026-55602', 'GHSA-gcq2-9pq2-cxqm', 'CVE-2025-32996',
    'CVE-2025-32997', 'CVE-2024-21536', 'GHSA-79qm-7rj5-m7r9', 'GHSA-q3j6-qgpj-74h6'
  ]
  const own = ['cve-2024-21536', 'cve-2026-107318', 'cve-2026-16117', 'cve-2026-16158', 'cve-2026-33805', 'ghsa-ggv3-7p47-pfv8', 'ghsa-vp2r-3vgv-32g9']
  const files = [...own, 'advisories-bodies', 'advisories-heads', 'advisories-paths', 'advisories-upgrades']
  const text = files.map((file) => `${file}\n${readFileSync(`${root}test/regression/${file}.test.ts`, 'utf8')}`).join('\n').toLowerCase()

  assert.deepEqual(advisories.filter((name) => !text.includes(name.toLowerCase())), [])
})
