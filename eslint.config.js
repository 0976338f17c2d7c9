import neostandard, { resolveIgnoresFromGitignore } from 'neostandard'

export default [
  ...neostandard({ ts: true, ignores: [...resolveIgnoresFromGitignore(), 'benchmarks/node_modules/'] }),
  {
    // The error table is read by column.
    files: ['lib/errors.ts'],
    rules: { '@stylistic/no-multi-spaces': 'off', '@stylistic/key-spacing': 'off' }
  },
  {
    // What ends these loops changes in an event, between one await and the next.
    files: ['test/**'],
    rules: { 'no-unmodified-loop-condition': 'off' }
  }
]
