import type { AllocationPhase, DeviceOneQuery } from '../Plumbing/asked'

type Share = NonNullable<DeviceOneQuery['devices']['items'][number]>['shares'][number]

/** A container's part of a card, and how far its allocation has come. */
export interface Tenant extends Share {
  key: string
  phase: AllocationPhase | null
}

/** The shares of a card as its tenants, each known by a key of its own; MIG instances in the order of their slices. */
export function tenantsOf(shares: Share[], phases: Map<string, AllocationPhase | null | undefined>): Tenant[] {
  const seen = new Map<string, number>()
  return [...shares].sort((a, b) => (a.mig?.start ?? 0) - (b.mig?.start ?? 0)).map((share) => {
    const of = `${share.allocationId}/${share.container}`
    const before = seen.get(of) ?? 0
    seen.set(of, before + 1)
    return { ...share, key: `${of}/${before}`, phase: phases.get(share.allocationId) ?? null }
  })
}
