import type { TFunction } from 'i18next'
import * as units from '../Plumbing/units'

/** An event as the log gives it. */
export interface LogEvent {
  type: string
  stream: string
  allocationId?: string | null
  /** JSON. */
  body: string
}

/** Whom an event tells of, and who did it; what it does not say itself may be said by others. */
export interface Concerned {
  podUid?: string
  /** Namespace/name. */
  pod?: string
  namespace?: string
  node?: string
  device?: string
  /** The process or the source that brought it about. */
  by?: string
}

/** A pod as other events and lists name it. */
export interface NamedPod {
  podUid: string
  namespace: string
  pod: string
}

/** Names of pods by the id of their allocation and by their UID. */
export type Names = ReadonlyMap<string, NamedPod>

interface Share {
  containerIndex: number
  endsBeforeApps: boolean
  deviceUuid: string
  memoryMiB: number
  cores: number
}

interface Body {
  podUid?: string
  namespace?: string
  pod?: string
  node?: string
  deviceUuid?: string
  shares?: Share[]
  source?: string
  reason?: string
  message?: string
  by?: string
  epoch?: number
  cards?: { uuid: string; model: string; healthy: boolean }[]
  nodePolicy?: string
  gpuPolicy?: string
  nodePolicyBefore?: string | null
  gpuPolicyBefore?: string | null
  quotas?: { name: string; memoryMiB: number | null; cores: number | null }[]
  mix?: { kinds: unknown[] }
}

/** What can happen, as the log calls it. */
export const eventTypes = [
  'placement_refused', 'preemption_planned', 'workload_withdrawn',
  'allocation_placed', 'allocation_adopted', 'allocation_bound', 'allocation_attached', 'allocation_shrunk', 'allocation_released',
  'devices_registered', 'device_cordoned', 'device_uncordoned', 'node_removed', 'node_carried_forward',
  'policy_changed', 'quota_changed', 'workload_mix_learned',
] as const

export type EventType = (typeof eventTypes)[number]

function bodyOf(event: LogEvent): Body {
  try {
    return JSON.parse(event.body) as Body
  } catch {
    return {}
  }
}

/** The names that events give to pods: what only tells an id later is named by them. */
export function namesOf(events: readonly LogEvent[]): Map<string, NamedPod> {
  const names = new Map<string, NamedPod>()
  for (const event of events) {
    const { podUid, namespace, pod } = bodyOf(event)
    if (!podUid || !namespace || !pod) continue
    const named = { podUid, namespace, pod }
    names.set(podUid, named)
    if (event.allocationId) names.set(event.allocationId, named)
  }
  return names
}

/** These names, and those of pods that lists tell of with the ids of their allocations. */
export function withPods(names: Names, pods: readonly ((NamedPod & { id: string }) | null)[]): Names {
  const all = new Map(names)
  for (const pod of pods) if (pod) all.set(pod.id, pod).set(pod.podUid, pod)
  return all
}

/** Whom an event tells of. */
export function concerned(event: LogEvent, names: Names): Concerned {
  const body = bodyOf(event)
  const [kind, name, ...rest] = event.stream.split('/')
  const podUid = body.podUid ?? (kind === 'pod' ? name : undefined)
  const named = (event.allocationId ? names.get(event.allocationId) : undefined) ?? (podUid ? names.get(podUid) : undefined)
  const namespace = body.namespace ?? named?.namespace
  const pod = body.pod ?? named?.pod
  return {
    podUid: podUid ?? named?.podUid,
    pod: namespace && pod ? `${namespace}/${pod}` : undefined,
    namespace,
    // Only the number of the stream stands behind a node's name.
    node: body.node ?? (kind === 'node' && rest.length > 0 ? [name, ...rest.slice(0, -1)].join('/') : undefined),
    device: body.deviceUuid,
    by: body.by ?? (event.type === 'allocation_adopted' ? body.source : undefined),
  }
}

/**
 * What the shares of one pod take of its cards, as the ledger counts it: init containers run one after another, each beside
 * the sidecars before it, and have ended when the app containers run, so of each card the largest of these moments counts.
 */
export function takenBy(shares: readonly Share[]): { cards: number; memoryMiB: number; cores: number } {
  const devices = [...new Set(shares.map((share) => share.deviceUuid))]
  const sum = { cards: devices.length, memoryMiB: 0, cores: 0 }
  for (const device of devices) {
    const [peak, staying] = [{ memoryMiB: 0, cores: 0 }, { memoryMiB: 0, cores: 0 }]
    let passing = { memoryMiB: 0, cores: 0 }
    let container = -1
    for (const share of shares) {
      if (share.deviceUuid !== device) continue
      if (!share.endsBeforeApps) {
        staying.memoryMiB += share.memoryMiB
        staying.cores += share.cores
        continue
      }
      if (share.containerIndex !== container) [container, passing] = [share.containerIndex, { memoryMiB: 0, cores: 0 }]
      passing.memoryMiB += share.memoryMiB
      passing.cores += share.cores
      peak.memoryMiB = Math.max(peak.memoryMiB, staying.memoryMiB + passing.memoryMiB)
      peak.cores = Math.max(peak.cores, staying.cores + passing.cores)
    }
    sum.memoryMiB += Math.max(peak.memoryMiB, staying.memoryMiB)
    sum.cores += Math.max(peak.cores, staying.cores)
  }
  return sum
}

type Words = TFunction<'replaying'>

/** Cards, their memory, and compute where some is reserved: "2 cards, 9.8 GiB, compute 0.44". */
export function amount(t: Words, taken: { cards: number; memoryMiB: number; cores: number }): string {
  return [
    t('cards', { count: taken.cards, formatted: units.count(taken.cards) }),
    units.memory(taken.memoryMiB),
    ...(taken.cores > 0 ? [t('compute', { cards: units.cards(taken.cores) })] : []),
  ].join(t('and'))
}

/** What happened, in one sentence. */
export function sentence(t: Words, event: LogEvent, names: Names): string {
  const body = bodyOf(event)
  const whom = concerned(event, names)
  const pod = whom.pod ?? (whom.podUid ? t('aPod', { uid: whom.podUid.slice(0, 8) }) : t('somePod'))
  const node = whom.node ?? units.unknown
  switch (event.type as EventType) {
    case 'allocation_placed':
    case 'allocation_adopted':
      return t(`happened.${event.type as 'allocation_placed' | 'allocation_adopted'}`, { pod, node, what: amount(t, takenBy(body.shares ?? [])) })
    case 'allocation_bound':
    case 'allocation_attached':
    case 'allocation_shrunk':
    case 'workload_withdrawn':
      return t(`happened.${event.type as 'allocation_bound' | 'allocation_attached' | 'allocation_shrunk' | 'workload_withdrawn'}`, { pod, node })
    case 'allocation_released':
      return t(`happened.allocation_released_${(body.reason ?? 'Deleted') as 'Completed' | 'Failed' | 'Deleted' | 'BindFailed'}`, { pod, node })
    case 'device_cordoned':
    case 'device_uncordoned':
      return t(`happened.${event.type as 'device_cordoned' | 'device_uncordoned'}`, { device: whom.device, node })
    case 'devices_registered': {
      const cards = body.cards ?? []
      if (cards.length === 0) return t('happened.devices_registered_none', { node })
      const models = eachModel(cards.map((card) => card.model)).join(t('and'))
      const sick = cards.filter((card) => !card.healthy).length
      return sick > 0 ? t('happened.devices_registered_sick', { node, models, sick: units.count(sick) }) : t('happened.devices_registered', { node, models })
    }
    case 'node_removed':
      return t('happened.node_removed', { node, reason: body.reason })
    case 'node_carried_forward':
      return t('happened.node_carried_forward', { node, epoch: body.epoch })
    case 'placement_refused':
    case 'preemption_planned':
      return t(`happened.${event.type as 'placement_refused' | 'preemption_planned'}`, { pod, message: body.message })
    case 'policy_changed': {
      const after = `${body.nodePolicy}/${body.gpuPolicy}`
      return body.nodePolicyBefore ? t('happened.policy_changed_from', { after, before: `${body.nodePolicyBefore}/${body.gpuPolicyBefore}` }) : t('happened.policy_changed', { after })
    }
    case 'quota_changed': {
      const quotas = (body.quotas ?? []).map((quota) => {
        const limits = [...(quota.memoryMiB == null ? [] : [units.memory(quota.memoryMiB)]), ...(quota.cores == null ? [] : [t('compute', { cards: units.cards(quota.cores) })])]
        return `${quota.name} (${limits.length > 0 ? limits.join(t('and')) : t('unlimited')})`
      })
      return quotas.length > 0 ? t('happened.quota_changed', { namespace: whom.namespace, quotas: quotas.join(t('and')) }) : t('happened.quota_changed_none', { namespace: whom.namespace })
    }
    case 'workload_mix_learned':
      return t('happened.workload_mix_learned', { count: body.mix?.kinds.length ?? 0, source: body.source })
    default:
      return t('happened.unknown', { type: event.type })
  }
}

/** How many of each model: "8 × NVIDIA A10". */
function eachModel(models: string[]): string[] {
  const counts = new Map<string, number>()
  for (const model of models) counts.set(model, (counts.get(model) ?? 0) + 1)
  return [...counts].map(([model, count]) => `${units.count(count)} × ${model}`)
}
