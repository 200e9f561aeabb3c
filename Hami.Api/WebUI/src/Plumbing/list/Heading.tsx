import { Table, UnstyledButton } from '@mantine/core'
import { ArrowDown, ArrowUp, ChevronsUpDown } from 'lucide-react'
import { useTranslation } from 'react-i18next'
import classes from './DataList.module.css'

/** What rows are sorted by, and how somebody changes that. */
export interface Order {
  sort: string
  descending: boolean
  set: (sort: string, descending: boolean) => void
}

/** The heading of a column, which sorts by it where there is an order for it. */
export function Heading({ title, sort, order, align, width }: { title: string; sort?: string; order?: Order; align?: 'right'; width?: number }) {
  const { t } = useTranslation('plumbing')
  const isSorted = !!sort && order?.sort === sort
  return (
    <Table.Th style={{ minWidth: width, textAlign: align }} aria-sort={isSorted ? (order.descending ? 'descending' : 'ascending') : undefined}>
      {sort && order ? (
        <UnstyledButton className={classes.sorts} onClick={() => order.set(sort, isSorted ? !order.descending : false)} title={t('list.sort', { what: title })}>
          {title}
          {isSorted ? order.descending ? <ArrowDown size={14} aria-hidden /> : <ArrowUp size={14} aria-hidden /> : <ChevronsUpDown size={14} aria-hidden opacity={0.4} />}
        </UnstyledButton>
      ) : title}
    </Table.Th>
  )
}
