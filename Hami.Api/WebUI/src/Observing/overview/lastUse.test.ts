import { expect, test } from 'vitest'
import { lastBefore } from './lastUse'

const at = (time: string) => `2026-11-26T${time}:00Z`
const moment = Date.parse(at('10:12'))

test('The use of a past moment is the last that is known before it', () => {
  const points = [{ at: at('10:00'), busy: 30, memoryUsedMiB: 900, series: 4 }, { at: at('10:05'), busy: 40, memoryUsedMiB: 1000, series: 4 }, { at: at('10:10') }]
  expect(lastBefore(points, moment)).toEqual({ busy: 40, memoryUsedMiB: 1000, memoryTotalMiB: null, devices: 4 })
})

test('What came later does not count, and what nobody told is unknown', () => {
  const nothing = { busy: null, memoryUsedMiB: null, memoryTotalMiB: null, devices: null }
  expect(lastBefore([{ at: at('10:15'), busy: 40 }], moment)).toEqual(nothing)
  expect(lastBefore([], moment)).toEqual(nothing)
})
