import { expect, test } from 'vitest'
import { compare, type Value } from './rows'

const sorted = (values: Value[], descending: boolean) => [...values].sort((a, b) => compare(a, b, descending))

test('What is unknown comes last, whichever way rows are sorted', () => {
  expect(sorted([null, 2, 1, undefined, 3], false)).toEqual([1, 2, 3, null, undefined])
  expect(sorted([null, 2, 1, 3], true)).toEqual([3, 2, 1, null])
})

test('Names with numbers are sorted as people count', () => {
  expect(sorted(['n10', 'n2', 'n1'], false)).toEqual(['n1', 'n2', 'n10'])
})
