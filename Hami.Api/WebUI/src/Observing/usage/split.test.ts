import { expect, test } from 'vitest'
import { split } from './split'

const row = (day: string, gpuHours: number) => ({ day, gpuHours, memoryGiBHours: gpuHours * 10, coreHours: gpuHours * 100 })
const days = ['2026-11-24', '2026-11-25', '2026-11-26']

test('The parts of a day add up to the day, and a day without use is 0', () => {
  const found = split(days, [row('2026-11-26', 10), row('2026-11-24', 4)], [{ namespace: 'ml', rows: [row('2026-11-24', 4), row('2026-11-26', 7)] }], 'gpu')
  expect(found.parts).toEqual([{ namespace: 'ml', values: [4, 0, 7] }, { namespace: null, values: [0, 0, 3] }])
})

test('There are no others when the largest are all', () => {
  expect(split(days, [row('2026-11-25', 5)], [{ namespace: 'ml', rows: [row('2026-11-25', 5.001)] }], 'gpu').parts).toEqual([{ namespace: 'ml', values: [0, 5.001, 0] }])
})

test('Compute is told in cards, a hundredth of the percents', () => {
  expect(split(days, [row('2026-11-25', 5)], [], 'cores').parts).toEqual([{ namespace: null, values: [0, 5, 0] }])
})
