import { expect, test } from 'vitest'
import { together } from './trend'

const at = (time: string) => `2026-11-26T${time}:00.000Z`

test('What two trends say of one moment is one point, whichever way the moment is written', () => {
  const held = [{ at: at('10:00'), held: 1 }, { at: at('10:05'), held: 2 }]
  const used = [{ at: '2026-11-26T10:00:00+00:00', used: 8 }, { at: at('10:05'), used: null }]
  expect(together(held, used)).toEqual([{ at: '2026-11-26T10:00:00+00:00', held: 1, used: 8 }, { at: at('10:05'), held: 2, used: null }])
})

test('Points are in order of time, and what only one trend knows stays', () => {
  expect(together([{ at: at('10:05'), held: 1 }], [{ at: at('10:00'), used: 8 }])).toEqual([{ at: at('10:00'), used: 8 }, { at: at('10:05'), held: 1 }])
})

test('One trend alone is shown while the other is awaited', () => {
  expect(together(undefined, [{ at: at('10:00'), used: 8 }])).toEqual([{ at: at('10:00'), used: 8 }])
})
