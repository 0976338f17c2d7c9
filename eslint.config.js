import neostandard, { resolveIgnoresFromGitignore } from 'neostandard'

export default [
  ...neostandard({ ts: true, ignores: [...resolveIgnoresFromGitignore(), 'benchmarks/node_modules/'] }),
  {
    // The error table is read by column.
    files: ['lib/errors.ts'],
    rules: { '@stylistic/no-multi-spaces': 'off', '@stylistic/key-spacing': 'off' }
  }
]
