import type { UsageRowsQuery, UsageSort } from '../../Plumbing/asked'

export type Row = NonNullable<UsageRowsQuery['usage']['items'][number]>

/** What use is counted in: the field of a row, how the server sorts by it, and what it is divided by to be shown. */
export const measures = {
  // A percent of a card for an hour is shown as a hundredth of a card's hour, as compute is everywhere.
  gpu: { field: 'gpuHours', sort: 'GPU_HOURS', unit: 1 },
  memory: { field: 'memoryGiBHours', sort: 'MEMORY_GI_B_HOURS', unit: 1 },
  cores: { field: 'coreHours', sort: 'CORE_HOURS', unit: 100 },
} as const satisfies Record<string, { field: keyof Row; sort: UsageSort; unit: number }>

export type MeasureName = keyof typeof measures

export function sum(rows: Row[], measure: MeasureName): number {
  return rows.reduce((total, row) => total + row[measures[measure].field], 0)
}
