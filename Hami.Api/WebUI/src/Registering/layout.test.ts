import { describe, expect, test } from 'vitest'
import { atSlices, memorySlices, sideBySide, type Placed } from './layout'

/** Numbers by chance that are the same every time. */
function chance(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

const end = (placed: Placed) => placed.start + placed.width

describe('Parts of a card side by side', () => {
  test('are as wide as their sizes, with what is free behind them', () => {
    expect(sideBySide(24_000, [{ key: 'a', size: 12_000 }, { key: 'b', size: 6_000 }])).toEqual([
      { key: 'a', start: 0, width: 0.5 },
      { key: 'b', start: 0.5, width: 0.25 },
      { key: null, start: 0.75, width: 0.25 },
    ])
  })

  test('leave nothing free where all is held', () => {
    expect(sideBySide(100, [{ key: 'a', size: 100 }])).toEqual([{ key: 'a', start: 0, width: 1 }])
  })

  test('are left out where they hold nothing', () => {
    expect(sideBySide(100, [{ key: 'a', size: 0 }])).toEqual([{ key: null, start: 0, width: 1 }])
  })

  test('can be seen however small they are', () => {
    const [tiny] = sideBySide(81_920, [{ key: 'a', size: 1 }])
    expect(tiny!.width).toBeGreaterThan(0.01)
  })

  test('of an empty card of no size are none', () => {
    expect(sideBySide(0, [])).toEqual([])
  })

  test('never overlap, and together are the whole card', () => {
    for (let seed = 1; seed <= 100; seed++) {
      const next = chance(seed)
      const parts = Array.from({ length: Math.floor(next() * 150) }, (_, i) => ({ key: `${i}`, size: Math.floor(next() ** 6 * 50_000) }))
      const whole = Math.floor(next() * 200_000) + 1
      const placed = sideBySide(whole, parts)
      expect(placed.filter((p) => p.key !== null).map((p) => p.key)).toEqual(parts.filter((p) => p.size > 0).map((p) => p.key))
      expect(placed[0]!.start).toBe(0)
      placed.slice(1).forEach((p, i) => expect(p.start).toBeCloseTo(end(placed[i]!), 9))
      expect(placed.reduce((sum, p) => sum + p.width, 0)).toBeCloseTo(1, 9)
      placed.forEach((p) => expect(p.width).toBeGreaterThan(0))
    }
  })
})

describe('MIG instances', () => {
  test('stand at their memory slices, and each free slice by itself', () => {
    expect(atSlices(8, [{ key: 'b', start: 4, size: 2 }, { key: 'a', start: 0, size: 4 }])).toEqual([
      { key: 'a', start: 0, width: 0.5, lane: 0 },
      { key: 'b', start: 0.5, width: 0.25, lane: 0 },
      { key: null, start: 0.75, width: 0.125, lane: 0 },
      { key: null, start: 0.875, width: 0.125, lane: 0 },
    ])
  })

  test('that follow each other in one place stand above each other', () => {
    expect(atSlices(2, [{ key: 'init', start: 0, size: 1 }, { key: 'app', start: 0, size: 2 }]).map((p) => p.lane)).toEqual([0, 1])
  })

  test('are drawn on a card whose slices nobody has told', () => {
    expect(atSlices(0, [{ key: 'a', start: 1, size: 1 }]).map((p) => p.key)).toEqual([null, 'a'])
  })

  test('never overlap within a lane, and one lane with the free slices is the whole card where no two share a place', () => {
    for (let seed = 1; seed <= 100; seed++) {
      const next = chance(seed)
      const instances = Array.from({ length: Math.floor(next() * 8) }, (_, i) => ({ key: `${i}`, start: Math.floor(next() * 8), size: 1 + Math.floor(next() * 4) }))
      const placed = atSlices(8, instances)
      for (const lane of new Set(placed.map((p) => p.lane))) {
        const row = placed.filter((p) => p.lane === lane)
        row.slice(1).forEach((p, i) => expect(p.start).toBeGreaterThanOrEqual(end(row[i]!) - 1e-9))
      }
      expect(placed.filter((p) => p.key !== null)).toHaveLength(instances.length)
      if (placed.every((p) => p.lane === 0)) expect(placed.reduce((sum, p) => sum + p.width, 0)).toBeCloseTo(1, 9)
    }
  })

  test('have as many places as the profiles say', () => {
    expect(memorySlices([{ placements: [{ start: 0, size: 1 }, { start: 6, size: 1 }] }, { placements: [{ start: 4, size: 4 }] }])).toBe(8)
    expect(memorySlices([])).toBe(0)
  })
})
