import { expect, test } from 'vitest'
import { tenantsOf } from './tenants'

const share = { allocationId: 'a', podUid: 'u', namespace: 'ml', pod: 'train-0', container: 'main', memoryMiB: 1, cores: 1 }

test('Two parts of one container on one card are two tenants', () => {
  const tenants = tenantsOf([share, share], new Map([['a', 'BOUND']]))
  expect(new Set(tenants.map((tenant) => tenant.key)).size).toBe(2)
  expect(tenants.map((tenant) => tenant.phase)).toEqual(['BOUND', 'BOUND'])
})

test('How far an allocation has come is unknown where nobody tells', () => {
  expect(tenantsOf([share], new Map())[0]!.phase).toBeNull()
})

test('MIG instances come in the order of their slices', () => {
  const at = (start: number) => ({ ...share, mig: { profile: '1g.5gb', start, size: 1 } })
  expect(tenantsOf([at(6), at(0), at(4)], new Map()).map((tenant) => tenant.mig!.start)).toEqual([0, 4, 6])
})
