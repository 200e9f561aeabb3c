import { describe, expect, test } from 'vitest'
import { overcommit } from './overcommit'

describe('Over-commit of cards', () => {
  test('is what is registered by what there is', () => {
    const card = { slots: 10, cores: 150, memoryMiB: 48_000, usage: { memoryTotalMiB: 24_000 } }
    expect(overcommit([card, card])).toEqual({ slots: 20, memory: 2, cores: 1.5, physicalMiB: 48_000 })
  })

  test('of memory counts only cards whose own memory is known', () => {
    const known = { slots: 1, cores: 100, memoryMiB: 30_000, usage: { memoryTotalMiB: 20_000 } }
    expect(overcommit([known, { slots: 1, cores: 100, memoryMiB: 99_000, usage: null }]).memory).toBe(1.5)
  })

  test('is unknown where nothing is told, never 0', () => {
    expect(overcommit([{ slots: 4, cores: 100, memoryMiB: 30_000 }])).toEqual({ slots: 4, memory: null, cores: 1, physicalMiB: null })
    expect(overcommit([])).toEqual({ slots: 0, memory: null, cores: null, physicalMiB: null })
  })
})
