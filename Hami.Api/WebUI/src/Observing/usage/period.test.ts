import { expect, test } from 'vitest'
import { daysOf, periodOf } from './period'

const today = '2026-11-26'

test.each([
  ['the last 30 days when nothing is said', undefined, undefined, '2026-10-28', today, '2026-11-27'],
  ['the days that are said, the last one too', '2026-02-27', '2026-03-01', '2026-02-27', '2026-03-01', '2026-03-02'],
  ['one day', today, today, today, today, '2026-11-27'],
  ['30 days up to the last when only that is said', undefined, '2026-11-10', '2026-10-12', '2026-11-10', '2026-11-11'],
  ['a year at most', '2020-01-01', today, '2025-11-26', today, '2026-11-27'],
  ['the usual when the end is before the begin', '2026-11-20', '2026-11-10', '2026-10-28', today, '2026-11-27'],
  ['the usual when it cannot be read', '2026-13-99', 'soon', '2026-10-28', today, '2026-11-27'],
])('An address means %s', (_, from, to, first, last, until) => {
  expect(periodOf(from, to, today)).toEqual({ from: first, to: last, until })
})

test('Days that are not yet are not shown', () => {
  expect(daysOf({ from: '2026-11-25', to: '2026-11-30', until: '2026-12-01' }, today)).toEqual(['2026-11-25', '2026-11-26'])
  expect(daysOf({ from: '2026-12-01', to: '2026-12-03', until: '2026-12-04' }, today)).toEqual([])
})
