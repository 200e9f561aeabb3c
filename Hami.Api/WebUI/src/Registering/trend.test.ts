import { expect, test } from 'vitest'
import { together, wholeStep } from './trend'

const held = { cores: 200, memoryMiB: 48_000, usedCores: 50, usedMemoryMiB: 12_000 }

test('What was allocated and what was used at a moment is one point, whichever way the moment is written', () => {
  expect(together([{ at: '2026-11-26T10:00:00+00:00', ...held }], [{ at: '2026-11-26T10:00:00Z', busy: 70, memoryUsedMiB: 9_000, temperatureCelsius: 60, powerWatts: 200 }])).toEqual([
    { at: '2026-11-26T10:00:00+00:00', allocatedCores: 25, allocatedMemory: 12_000, busy: 70, usedMemory: 9_000, temperature: 60, power: 200 },
  ])
})

test('Points are in order of time, and what is unknown is null, never 0', () => {
  const points = together([{ at: '2026-11-26T10:05:00Z', ...held, cores: 0, memoryMiB: 0 }], [{ at: '2026-11-26T10:00:00Z' }])
  expect(points).toEqual([
    { at: '2026-11-26T10:00:00Z', busy: null, usedMemory: null, temperature: null, power: null },
    { at: '2026-11-26T10:05:00Z', allocatedCores: null, allocatedMemory: null },
  ])
})

test('A trend begins where a step does', () => {
  expect(wholeStep('2026-11-26T10:07:31.5Z', 300)).toBe('2026-11-26T10:05:00.000Z')
  expect(wholeStep('2026-11-26T10:00:00Z', 86_400)).toBe('2026-11-26T00:00:00.000Z')
})
