import i18next, { type TFunction } from 'i18next'
import { beforeAll, describe, expect, it } from 'vitest'
import { concerned, eventTypes, namesOf, sentence, takenBy, type LogEvent } from './happened'
import { replaying as en } from './words.en'
import { replaying as zh } from './words.zh'

// One sample of every event that was ever stored; the control plane's tests keep them.
const samples = Object.entries(import.meta.glob<Record<string, unknown>>('../../../../Hami.Tests/Approved/events/*.json', { eager: true, import: 'default' }))
  .map(([file, body]) => ({ name: file.split('/').at(-1)!.replace('.json', ''), body }))

const events = samples.map(({ name, body }) => ({ name, event: asEvent(name.split('.')[0]!, body) }))

function asEvent(type: string, body: Record<string, unknown>): LogEvent {
  const stream = ['placement_refused', 'preemption_planned', 'workload_withdrawn'].includes(type) ? `pod/${String(body.podUid)}`
    : type === 'quota_changed' ? 'quota/default'
    : ['policy_changed', 'workload_mix_learned'].includes(type) ? 'policy/cluster'
    : 'node/n1/0'
  return { type, stream, allocationId: body.allocationId as string | undefined, body: JSON.stringify(body) }
}

beforeAll(async () => {
  await i18next.init({ lng: 'en', fallbackLng: false, interpolation: { escapeValue: false }, resources: { en: { replaying: en }, zh: { replaying: zh } }, ns: ['replaying'] })
})

function words(language: 'en' | 'zh'): TFunction<'replaying'> {
  return i18next.getFixedT(language, 'replaying')
}

describe('the sentence of an event', () => {
  it('is there for every event that was ever stored', () => expect(events.length).toBeGreaterThan(16))

  it.each(events)('$name has one in each language, without gaps', ({ event }) => {
    for (const language of ['en', 'zh'] as const) {
      const said = sentence(words(language), event, namesOf([event]))
      expect(said).not.toMatch(/\{\{|undefined|null|NaN|happened\.|Object/)
      expect(said).not.toBe(event.type)
    }
  })

  it.each(events)('$name has a name for its kind', ({ event }) => {
    expect(eventTypes).toContain(event.type)
  })

  it('has a name for each kind that can be filtered by', () => expect(Object.keys(en.types).sort()).toEqual([...eventTypes].sort()))

  const cases: [string, Record<string, unknown>, string][] = [
    ['allocation_placed', samples.find((s) => s.name === 'allocation_placed')!.body, 'default/p1 was placed on n1: 2 cards, 7.7 GiB, compute 0.44'],
    ['allocation_released', { allocationId: 'a', podUid: '12345678-9', reason: 'BindFailed' }, 'pod 12345678 could not be bound to n1; its devices are free'],
    ['allocation_bound', { allocationId: 'a' }, 'A pod was bound to n1'],
    ['devices_registered', { node: 'n1', cards: [{ model: 'A10', healthy: true }, { model: 'A10', healthy: false }, { model: 'T4', healthy: true }] }, 'n1 registered 2 × A10, 1 × T4; unhealthy: 1'],
    ['devices_registered', { node: 'n1', cards: [] }, 'n1 registered no devices any more'],
    ['policy_changed', { nodePolicy: 'spread', gpuPolicy: 'binpack', by: 'hami-api serve' }, 'Pods are placed by spread/binpack from now on'],
    ['policy_changed', { nodePolicy: 'spread', gpuPolicy: 'binpack', nodePolicyBefore: 'binpack', gpuPolicyBefore: 'spread' }, 'Pods are placed by spread/binpack from now on, no longer by binpack/spread'],
    ['quota_changed', { namespace: 'ml', quotas: [{ name: 'team', memoryMiB: 40960, cores: 200 }, { name: 'more', memoryMiB: null, cores: null }] }, 'The quota of ml is team (40 GiB, compute 2), more (no limit)'],
    ['quota_changed', { namespace: 'ml', quotas: [] }, 'ml has no quota any more'],
    ['something_new', {}, 'something_new'],
  ]
  it.each(cases)('%s %j', (type, body, said) => expect(sentence(words('en'), asEvent(type, body), new Map())).toBe(said))

  it('names a pod that the event itself does not name, when another does', () => {
    const placed = asEvent('allocation_placed', samples.find((s) => s.name === 'allocation_placed')!.body)
    const bound = asEvent('allocation_bound', { allocationId: placed.allocationId })
    expect(sentence(words('en'), bound, namesOf([placed]))).toBe('default/p1 was bound to n1')
  })
})

describe('whom an event tells of', () => {
  it.each([
    ['node/n1/0', 'n1'],
    ['node/gpu.example.org/12', 'gpu.example.org'],
    ['policy/cluster', undefined],
    ['pod/u-1', undefined],
  ])('%s is of node %s', (stream, node) => expect(concerned({ type: 'device_cordoned', stream, body: '{}' }, new Map()).node).toBe(node))

  it('is the pod of its stream', () => expect(concerned({ type: 'workload_withdrawn', stream: 'pod/u-1', body: '{}' }, new Map()).podUid).toBe('u-1'))

  it('is nobody where the body cannot be read', () => expect(concerned({ type: 'x', stream: 'policy/cluster', body: 'no' }, new Map()).podUid).toBeUndefined())
})

describe('what a pod takes of its cards', () => {
  const share = (containerIndex: number, memoryMiB: number, cores: number, endsBeforeApps = false, deviceUuid = 'a') => ({ containerIndex, memoryMiB, cores, endsBeforeApps, deviceUuid })

  it.each([
    ['app containers add up', [share(0, 1000, 10), share(1, 2000, 20)], { cards: 1, memoryMiB: 3000, cores: 30 }],
    ['init containers run before them', [share(0, 5000, 10, true), share(1, 2000, 20)], { cards: 1, memoryMiB: 5000, cores: 20 }],
    ['init containers run one after another', [share(0, 3000, 10, true), share(1, 4000, 5, true), share(2, 100, 1)], { cards: 1, memoryMiB: 4000, cores: 10 }],
    ['an init container runs beside the sidecars before it', [share(0, 1000, 10), share(1, 3000, 10, true), share(2, 500, 5)], { cards: 1, memoryMiB: 4000, cores: 20 }],
    ['cards add up', [share(0, 1000, 10), share(0, 1000, 10, false, 'b')], { cards: 2, memoryMiB: 2000, cores: 20 }],
    ['nothing is nothing', [], { cards: 0, memoryMiB: 0, cores: 0 }],
  ])('%s', (_, shares, taken) => expect(takenBy(shares)).toEqual(taken))
})
