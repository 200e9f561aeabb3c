import { useLocalStorage } from '@mantine/hooks'
import type { ReactNode } from 'react'

/** A column of a list. */
export interface Column<Row> {
  /** Never changes: choices are remembered by it. */
  key: string
  title: string
  cell: (row: Row) => ReactNode
  /** The order that the server knows it by; without one the column cannot be sorted. */
  sort?: string
  /** Pixels. */
  width?: number
  align?: 'right'
  /** Shown only when somebody chooses it. */
  isExtra?: boolean
}

/** Which columns somebody wants to see of a list, remembered on this device. */
export function useShownColumns<Row>(list: string, columns: Column<Row>[]): [Record<string, boolean>, (shown: Record<string, boolean>) => void] {
  const [chosen, choose] = useLocalStorage<Record<string, boolean>>({ key: `hami-columns-${list}`, defaultValue: {}, getInitialValueInEffect: false })
  return [Object.fromEntries(columns.map((column) => [column.key, chosen[column.key] ?? !column.isExtra])), choose]
}
