/** A text that is in `medium` of answers.ts 16 times, and what is to stand in its place. By itself: a contender needs none of the answers, of 10 MiB and more. */
export const replacement: readonly [find: string, replace: string] = ['ff0\n', 'instead\n']
