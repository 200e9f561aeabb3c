import { ActionIcon, Button, Checkbox, Group, Paper, Popover, ScrollArea, Skeleton, Stack, Table, Text, TextInput, Tooltip, VisuallyHidden } from '@mantine/core'
import { useDebouncedCallback } from '@mantine/hooks'
import { getCoreRowModel, useReactTable, type ColumnDef, type Row as TableRow } from '@tanstack/react-table'
import { useVirtualizer } from '@tanstack/react-virtual'
import { Columns3, RefreshCw, Search } from 'lucide-react'
import { memo, useEffect, useMemo, useRef, useState, type ReactNode, type RefObject } from 'react'
import { useTranslation } from 'react-i18next'
import type { ListQuestion } from '../question'
import { Empty, Failed } from '../states'
import * as units from '../units'
import { useUrl } from '../url'
import { useShownColumns, type Column } from './columns'
import classes from './DataList.module.css'
import { Heading, type Order } from './Heading'

/**
 * A list of any length: the server sorts, searches and pages it, only the rows in sight are drawn.
 * What is searched for (`q`) and sorted by (`sort`) stands in the address.
 */
export function DataList<Row>({ name, label, columns, question, rowKey, order, filters, empty, withSearch = true, height }: {
  /** For what is remembered of this list on this device. */
  name: string
  label: string
  columns: Column<Row>[]
  question: Pick<ListQuestion<Row>, 'rows' | 'total' | 'error' | 'isPending' | 'isFetching' | 'isStale' | 'isFetchingNextPage' | 'hasNextPage' | 'fetchNextPage' | 'refetch' | 'isPlaceholderData'>
  rowKey: (row: Row) => string
  order?: Order
  filters?: ReactNode
  /** Shown instead of rows when there are none. */
  empty: ReactNode
  withSearch?: boolean
  /** Pixels or CSS length of the list; as tall as the window allows when not given. */
  height?: number | string
}) {
  const { t } = useTranslation('plumbing')
  const [shown, show] = useShownColumns(name, columns)
  const viewport = useRef<HTMLDivElement>(null)

  const definitions = useMemo<ColumnDef<Row>[]>(
    () => columns.map((column) => ({ id: column.key, header: column.title, size: column.width ?? 140 })),
    [columns],
  )
  const table = useReactTable({ data: question.rows, columns: definitions, getCoreRowModel: getCoreRowModel(), getRowId: rowKey, manualSorting: true, state: { columnVisibility: shown } })
  const rows = table.getRowModel().rows
  const columnOf = new Map(columns.map((column) => [column.key, column]))
  const visible = table.getVisibleLeafColumns()
  const inView = visible.map((column) => column.id).join(' ')
  const drawn = useMemo(() => columns.filter((column) => inView.split(' ').includes(column.key)), [columns, inView])

  return (
    <Paper withBorder radius="md" className={classes.list}>
      <Group p="xs" gap="xs" justify="space-between">
        <Group gap="xs" style={{ flex: '1 1 300px' }}>
          {withSearch && <SearchBox label={t('list.search', { what: label })} />}
          {filters}
        </Group>
        <Group gap="xs">
          {question.isStale && !question.isFetching && question.rows.length > 0 && (
            <Button size="compact-xs" variant="light" onClick={() => void question.refetch()}>{t('list.news')}</Button>
          )}
          <Text size="sm" c="dimmed" aria-live="polite">{question.total === undefined ? '' : t('list.total', { count: question.total, formatted: units.count(question.total) })}</Text>
          <Tooltip label={t('list.refresh')}>
            <ActionIcon variant="default" aria-label={t('list.refresh')} loading={question.isFetching && !question.isPending} onClick={() => void question.refetch()}>
              <RefreshCw size={16} />
            </ActionIcon>
          </Tooltip>
          <Popover withArrow position="bottom-end" trapFocus>
            <Popover.Target>
              <Tooltip label={t('list.columns')}>
                <ActionIcon variant="default" aria-label={t('list.columns')}><Columns3 size={16} /></ActionIcon>
              </Tooltip>
            </Popover.Target>
            <Popover.Dropdown>
              <Stack gap={6}>
                {columns.map((column, index) => (
                  <Checkbox key={column.key} size="xs" label={column.title} checked={shown[column.key]} disabled={index === 0} onChange={(e) => show({ ...shown, [column.key]: e.currentTarget.checked })} />
                ))}
              </Stack>
            </Popover.Dropdown>
          </Popover>
        </Group>
      </Group>
      {question.error ? <Failed error={question.error} again={() => void question.refetch()} /> : null}
      <ScrollArea.Autosize viewportRef={viewport} mah={height ?? 'calc(100dvh - 260px)'} type="auto" offsetScrollbars="present" viewportProps={{ tabIndex: 0, role: 'region', 'aria-label': label }}>
        <Table verticalSpacing={6} highlightOnHover stickyHeader aria-label={label} aria-rowcount={question.total ?? -1} className={classes.table} data-stale={question.isPlaceholderData || undefined}>
          <Table.Thead>
            <Table.Tr>
              {visible.map((column) => {
                const { sort, title, align } = columnOf.get(column.id)!
                return <Heading key={column.id} title={title} sort={sort} order={order} align={align} width={column.getSize()} />
              })}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            <RowsInSight rows={rows} columns={drawn} viewport={viewport} paging={question} />
          </Table.Tbody>
        </Table>
        {question.isPending && <Stack p="md" gap="xs"><VisuallyHidden>{t('loading')}</VisuallyHidden>{[0, 1, 2, 3].map((i) => <Skeleton key={i} height={28} />)}</Stack>}
        {question.isFetchingNextPage && <Text size="xs" c="dimmed" ta="center" p={6}>{t('loading')}</Text>}
      </ScrollArea.Autosize>
      {/* Not within what scrolls: it is as wide as the table, which may be wider than the screen. */}
      {!question.isPending && !question.error && rows.length === 0 && <EmptyOrNotFound>{empty}</EmptyOrNotFound>}
    </Paper>
  )
}

/** Of its own, so that scrolling draws nothing but rows; asks for the next page before the last row is in sight. */
function RowsInSight<Row>({ rows, columns, viewport, paging: { hasNextPage, isFetchingNextPage, fetchNextPage } }: {
  rows: TableRow<Row>[]
  columns: Column<Row>[]
  viewport: RefObject<HTMLDivElement | null>
  paging: Pick<ListQuestion<Row>, 'hasNextPage' | 'isFetchingNextPage' | 'fetchNextPage'>
}) {
  const virtual = useVirtualizer({ count: rows.length, getScrollElement: () => viewport.current, estimateSize: () => 49, overscan: 12, getItemKey: (index) => rows[index]?.id ?? index })
  const inSight = virtual.getVirtualItems()
  const first = inSight[0]
  const last = inSight.at(-1)
  const isNearEnd = (last?.index ?? 0) > rows.length - 40
  useEffect(() => {
    if (isNearEnd && hasNextPage && !isFetchingNextPage) void fetchNextPage()
  }, [isNearEnd, hasNextPage, isFetchingNextPage, fetchNextPage])
  return (
    <>
      {first && first.start > 0 && <tr aria-hidden><td style={{ height: first.start, padding: 0 }} colSpan={columns.length} /></tr>}
      {inSight.map(({ index, key }) => {
        const row = rows[index]
        return row && <DataRow key={key} row={row.original} index={index} columns={columns as Column<unknown>[]} measure={virtual.measureElement} />
      })}
      {last && virtual.getTotalSize() > last.end && <tr aria-hidden><td style={{ height: virtual.getTotalSize() - last.end, padding: 0 }} colSpan={columns.length} /></tr>}
    </>
  )
}

/** Drawn again only when it, or the columns, change, not whenever the list is scrolled. */
const DataRow = memo(function DataRow({ row, index, columns, measure }: { row: unknown; index: number; columns: Column<unknown>[]; measure: (element: Element | null) => void }) {
  return (
    <Table.Tr data-index={index} ref={measure} aria-rowindex={index + 2}>
      {columns.map((column) => <Table.Td key={column.key} style={{ textAlign: column.align }}>{column.cell(row)}</Table.Td>)}
    </Table.Tr>
  )
})

function EmptyOrNotFound({ children }: { children: ReactNode }) {
  const { t } = useTranslation('plumbing')
  const [text, search] = useUrl('q')
  return text ? <Empty title={t('list.notFound', { text })} action={<Button size="xs" mt="xs" variant="default" onClick={() => search(undefined)}>{t('list.clear')}</Button>} /> : children
}

function SearchBox({ label }: { label: string }) {
  const [text, search] = useUrl('q')
  const [typed, type] = useState(text ?? '')
  const settle = useDebouncedCallback((next: string) => search(next || undefined), 250)
  useEffect(() => type(text ?? ''), [text])
  return (
    <TextInput
      size="sm"
      w={240}
      type="search"
      aria-label={label}
      placeholder={label}
      leftSection={<Search size={16} aria-hidden />}
      value={typed}
      onChange={(e) => {
        type(e.currentTarget.value)
        settle(e.currentTarget.value)
      }}
    />
  )
}
