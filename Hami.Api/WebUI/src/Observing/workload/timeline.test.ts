import { describe, expect, test } from 'vitest'
import { timelineOf } from './timeline'

const at = (second: number) => new Date(Date.UTC(2026, 10, 26, 12, 0, second)).toISOString()
const types: Record<number, string> = { 1: 'placement_refused', 2: 'placement_refused', 3: 'allocation_placed', 4: 'allocation_bound', 5: 'allocation_released', 6: 'something_new' }
const step = (position: number, second: number) => ({ position, at: at(second), what: `step ${position}` })
const timeline = (steps: ReturnType<typeof step>[], createdAt?: string) => timelineOf(steps, (position) => types[position], createdAt)

describe('the timeline of a pod', () => {
  test('begins with its creation, when that is known', () => {
    expect(timeline([step(3, 2)], at(0)).map(({ kind, after }) => [kind, after])).toEqual([['created', undefined], ['placed', 2000]])
  })

  test('has refusals in a row as one, with the sentence of each', () => {
    const [refused, placed] = timeline([step(1, 0), step(2, 4), step(3, 10)])
    expect(refused).toEqual({ kind: 'refused', at: at(0), until: at(4), whats: ['step 1', 'step 2'], position: 2, after: undefined })
    expect(placed?.after).toBe(6000)
  })

  test('keeps refusals apart that something lies between', () => {
    expect(timeline([step(1, 0), step(3, 1), step(5, 2), step(2, 3)]).map(({ kind }) => kind)).toEqual(['refused', 'placed', 'released', 'refused'])
  })

  test('shows what it does not know as it is', () => {
    expect(timeline([step(6, 0)])).toMatchObject([{ kind: 'other', whats: ['step 6'] }])
  })

  test('leaves out a creation after its first step: the pod was seen by another clock', () => {
    expect(timeline([step(3, 0)], at(5)).map(({ kind }) => kind)).toEqual(['placed'])
  })
})
