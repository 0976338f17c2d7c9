import neostandard, { plugins, resolveIgnoresFromGitignore } from 'neostandard'

export default [
  ...neostandard({ ts: true, ignores: [...resolveIgnoresFromGitignore(), 'benchmarks/node_modules/'] }),
  {
    // A promise that nobody awaits ends the process when it rejects. These two know types, and read lib alone: that takes seconds.
    files: ['lib/**/*.ts'],
    languageOptions: { parserOptions: { project: './tsconfig.lint.json', tsconfigRootDir: import.meta.dirname } },
    plugins: { '@typescript-eslint': plugins['typescript-eslint'].plugin },
    rules: {
      '@typescript-eslint/no-floating-promises': ['error', { ignoreVoid: false }],
      '@typescript-eslint/no-misused-promises': 'error'
    }
  },
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
