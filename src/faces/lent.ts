/** What the second script takes from the first instead of bringing it again: the bundler puts it in (`tools/lend`). */
export const lent: readonly unknown[] = []
