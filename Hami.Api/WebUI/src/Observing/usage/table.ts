import type { Cell } from '../../Plumbing/csv'
import type { Dimension } from './choice'
import type { Row } from './measure'

/** Columns of the file, with units; a column for each thing that use is told apart by. */
export function header(by: Dimension[]): string[] {
  const names: Record<Dimension, string[]> = { day: ['day_utc'], namespace: ['namespace'], owner: ['owner_kind', 'owner_name'], node: ['node'], device: ['device_uuid'] }
  return [...by.flatMap((dimension) => names[dimension]), 'gpu_hours', 'memory_gib_hours', 'compute_percent_of_a_card_hours']
}

/** Values as the ledger has them. */
export function line(row: Row, by: Dimension[]): Cell[] {
  const cells: Record<Dimension, Cell[]> = { day: [row.day], namespace: [row.namespace], owner: [row.ownerKind, row.ownerName], node: [row.node], device: [row.deviceUuid] }
  return [...by.flatMap((dimension) => cells[dimension]), row.gpuHours, row.memoryGiBHours, row.coreHours]
}
