import { expect, test } from 'vitest'
import { together, wholeSteps } from './trends'

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

test('While a replay goes through one step of a trend it asks for the same', () => {
  const asked = (time: string) => wholeSteps({ from: at('09:07'), to: `2026-11-26T${time}Z`, stepSeconds: 300 }, false)
  expect(asked('10:07:31.5')).toEqual({ from: at('09:05'), to: '2026-11-26T10:05:01.000Z', stepSeconds: 300 })
  expect(asked('10:09:59')).toEqual(asked('10:05:00'))
  expect(asked('10:10:00')).not.toEqual(asked('10:09:59'))
})

test('What ends now is asked for until now', () => {
  expect(wholeSteps({ from: at('09:00'), to: at('10:07'), stepSeconds: 300 }, true).to).toBe(at('10:07'))
})
