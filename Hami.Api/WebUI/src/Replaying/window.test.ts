import { describe, expect, it } from 'vitest'
import { beside, densityOf, endOf, justAfter, lengths, momentOf, replayed, spanOf } from './window'

const hour = lengths['1h']
const now = Date.parse('2026-11-26T12:00:00Z')

describe('the time that the slider spans', () => {
  it('ends now while the page shows now', () => {
    expect(endOf(now - 5 * hour, hour, undefined, now)).toBeNull()
  })

  it('ends now while the moment is within it', () => {
    expect(endOf(null, hour, now - hour / 2, now)).toBeNull()
  })

  it('has a moment out of sight in its middle', () => {
    const at = now - 10 * hour
    expect(endOf(null, hour, at, now)).toBe(at + hour / 2)
  })

  it('stays where it is while the moment moves within it', () => {
    const end = now - 9 * hour
    expect(endOf(end, hour, end - 1, now)).toBe(end)
    expect(endOf(end, hour, end - hour, now)).toBe(end)
    expect(endOf(end, hour, end + 1, now)).toBe(end + 1 + hour / 2)
  })

  it('never ends behind now', () => {
    expect(endOf(now - 2 * hour, hour, now - hour * 0.4, now)).toBeNull()
  })

  it.each([
    ['as long as asked', undefined, now - hour],
    ['nothing before the log begins', now - hour / 4, now - hour / 4],
    ['at least a minute', now - 1, now - 60_000],
    ['a begin long ago changes nothing', now - 40 * hour, now - hour],
  ])('is %s', (_, begin, from) => {
    expect(spanOf(null, hour, now, begin)).toEqual({ from, to: now })
  })
})

describe('the moment of an event', () => {
  it.each([
    ['2026-11-26T12:59:42.977284+00:00', '2026-11-26T12:59:42.978Z'],
    ['2026-11-26T12:59:42.977+00:00', '2026-11-26T12:59:42.977Z'],
    ['2026-11-26T12:59:42.977000+00:00', '2026-11-26T12:59:42.977Z'],
    ['2026-11-26T20:59:42.9779+08:00', '2026-11-26T12:59:42.978Z'],
    ['2026-11-26T12:59:42+00:00', '2026-11-26T12:59:42.000Z'],
  ])('of %s is %s: at it the event has happened', (happened, moment) => {
    expect(new Date(momentOf(happened)).toISOString()).toBe(moment)
  })
})

describe('a step', () => {
  const at = '2026-11-26T12:00:00.500Z'

  it('forward looks behind the moment', () => {
    expect(beside(at, false)).toEqual({ from: '2026-11-26T12:00:00.500001Z', descending: false })
  })

  it('back leaves the millisecond whose events made this picture', () => {
    expect(beside(at, true)).toEqual({ to: '2026-11-26T12:00:00.499001Z', descending: true })
  })

  it('back from now finds the last event', () => {
    expect(beside(undefined, true)).toEqual({ descending: true })
  })

  it('back after a step forward finds the event before, whatever the microseconds', () => {
    const first = '2026-11-26T12:00:00.100900+00:00'
    const second = '2026-11-26T12:00:00.101100+00:00'
    const bound = Date.parse(beside(new Date(momentOf(second)).toISOString(), true).to!.replace('001Z', 'Z'))
    expect(momentOf(first)).toBeLessThanOrEqual(bound)
    expect(momentOf(second)).toBeGreaterThan(bound)
  })

  it('back from between two milliseconds does not go forward', () => {
    expect(beside('2026-11-26T12:00:00.500700Z', true)).toEqual({ to: '2026-11-26T12:00:00.500001Z', descending: true })
  })
})

describe('the bound behind a moment', () => {
  it.each([
    ['2026-11-26T12:00:00Z', '2026-11-26T12:00:00.000001Z'],
    ['2026-11-26T12:00:00.500Z', '2026-11-26T12:00:00.500001Z'],
    ['2026-11-26T12:00:00.977284+00:00', '2026-11-26T12:00:00.977285Z'],
    ['2026-11-26T20:00:00.9779+08:00', '2026-11-26T12:00:00.977901Z'],
    ['2026-11-26T12:00:00.999999Z', '2026-11-26T12:00:01.000000Z'],
  ])('%s is %s: what happened at the moment itself counts', (moment, bound) => expect(justAfter(moment)).toBe(bound))
})

describe('a replay', () => {
  it.each([['1', 1], ['10', 10], ['60', 60], ['600', 600]] as const)('at %s× shows every second what is %i s later', (speed, seconds) => {
    expect(replayed(now - hour, speed, now)).toBe(now - hour + seconds * 1000)
  })

  it('ends at now', () => {
    expect(replayed(now - 5_000, '10', now)).toBeUndefined()
    expect(replayed(now - 10_000, '10', now)).toBeUndefined()
  })
})

describe('the density of events', () => {
  const span = { from: Date.parse('2026-11-26T00:00:00Z'), to: Date.parse('2026-11-26T10:00:00Z') }
  const at = (hour: number, type = 'allocation_placed') => ({ at: `2026-11-26T${String(hour).padStart(2, '0')}:30:00.000001+00:00`, type })

  it('counts each part, and what went wrong by itself', () => {
    const { all, bad } = densityOf(span, 10, [at(9), at(9, 'placement_refused'), at(2)], undefined)
    expect(all).toEqual([0, 0, 1, 0, 0, 0, 0, 0, 0, 2])
    expect(bad).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 1])
  })

  it('leaves open what lies between the newest and the oldest that were looked at', () => {
    const { all } = densityOf(span, 10, [at(9), at(8)], [at(0), at(1)])
    expect(all).toEqual([1, 1, null, null, null, null, null, null, 1, 1])
  })

  it('counts what is among both once', () => {
    const { all } = densityOf(span, 10, [at(9), at(8), at(5)], [at(4), at(5), at(8)])
    expect(all).toEqual([0, 0, 0, 0, 1, 1, 0, 0, 1, 1])
  })

  it('leaves out what is not of the span', () => {
    expect(densityOf(span, 10, [at(11)], undefined).all).toEqual(Array(10).fill(0))
  })
})
