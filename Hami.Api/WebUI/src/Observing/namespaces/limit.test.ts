import { expect, test } from 'vitest'
import { tightest } from './limit'

test('Of limits that hold at once the tightest counts, and none is no limit', () => {
  expect(tightest([400, null, 300, undefined])).toBe(300)
  expect(tightest([0, 5])).toBe(0)
  expect(tightest([null])).toBeNull()
  expect(tightest([])).toBeNull()
})
