import { expect, test } from 'vitest'
import { together } from './trend'

const at = (time: string) => `2026-11-26T${time}:00.000Z`

test('Trends of the same moments become one line of points', () => {
  const held = { stepSeconds: 300, points: [{ at: at('10:00'), held: 1 }, { at: at('10:05'), held: 2 }] }
  const used = { stepSeconds: 300, points: [{ at: '2026-11-26T10:00:00+00:00', used: 8 }, { at: at('10:05'), used: null }] }
  expect(together(held, used)).toEqual([{ at: at('10:00'), held: 1, used: 8 }, { at: at('10:05'), held: 2, used: null }])
})

test('Where their moments differ each value is good until its own step is over, and no longer', () => {
  const held = { stepSeconds: 300, points: [{ at: at('10:02'), held: 1 }] }
  const used = { stepSeconds: 300, points: [{ at: at('10:00'), used: 8 }, { at: at('10:05'), used: 9 }, { at: at('10:10'), used: 7 }] }
  expect(together(held, used)).toEqual([
    { at: at('10:00'), used: 8 },
    { at: at('10:02'), held: 1, used: 8 },
    { at: at('10:05'), held: 1, used: 9 },
    { at: at('10:10'), used: 7 },
  ])
})

test('One trend alone is shown while the other is awaited', () => {
  expect(together(undefined, { stepSeconds: 60, points: [{ at: at('10:00'), used: 8 }] })).toEqual([{ at: at('10:00'), used: 8 }])
})
